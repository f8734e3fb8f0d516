//! The pages of a database file with what its `-wal` says on top, read without SQLite: whatever is damaged, the other
//! pages are there.

use crate::mark;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Page sizes that SQLite knows.
const SIZES: std::ops::RangeInclusive<usize> = 512..=65_536;
/// What a ledger has, if nothing says so any more.
const USUAL_SIZE: usize = 4_096;
/// Where its mark is.
const PLACE: usize = mark::PLACE as usize;
const MAGIC: &[u8] = b"SQLite format 3\0";
const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// See the module.
pub(super) struct Image {
    database: File,
    wal: Option<File>,
    /// Where in the `-wal` the newest committed version of a page begins.
    newer: BTreeMap<u32, u64>,
    pub(super) page_size: usize,
    /// What of a page holds cells.
    pub(super) usable: usize,
    /// Pages that there should be.
    pub(super) pages: u32,
    /// Whether the first page says what it should.
    pub(super) has_header: bool,
    /// Rows that go on in a page that is empty, or noted as another's.
    pub(super) strange: u64,
    /// Whether the file notes of each page what it is.
    pub(super) has_map: bool,
    /// What is wrong with the `-wal`.
    pub(super) wal_problem: Option<String>,
}

/// The number in two or four bytes, most significant first.
pub(super) fn number(bytes: &[u8], at: usize, width: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(width)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

impl Image {
    /// The image of a database, with its `-wal` or without.
    pub(super) fn open(database: &Path, wal: Option<&Path>) -> io::Result<Image> {
        let mut image = Image {
            database: File::open(database)?,
            wal: None,
            newer: BTreeMap::new(),
            page_size: USUAL_SIZE,
            usable: USUAL_SIZE,
            pages: 0,
            has_header: false,
            strange: 0,
            has_map: false,
            wal_problem: None,
        };
        let mut first = vec![0; 100];
        let count = read_at(&mut image.database, 0, &mut first)?;
        let size = size_of(&first);
        if let Some(size) = size {
            image.page_size = size;
        }
        let mut committed = None;
        if let Some(wal) = wal {
            committed = image.overlay(wal)?;
        }
        let mark = |page: &[u8]| number(page, PLACE, 4).unwrap_or(0);
        let newest = image.page(1)?.unwrap_or_default();
        if size.is_some() && committed.is_some() && !mark::is_same(mark(&first), mark(&newest)) {
            image.newer.clear();
            committed = None;
            image.wal_problem = Some("the -wal is that of another file, and was left out".into());
        }
        let length = image.database.metadata()?.len();
        let of_file = u32::try_from(length.div_ceil(image.page_size as u64)).unwrap_or(u32::MAX);
        let first = image.page(1)?.unwrap_or_default();
        image.has_header = count >= 100 && size_of(&first) == Some(image.page_size);
        image.has_map = image.has_header && number(&first, 52, 4) != Some(0);
        let reserved = first.get(20).filter(|_| image.has_header).map_or(0, |reserved| usize::from(*reserved));
        image.usable = image.page_size.saturating_sub(reserved).max(480);
        let said = number(&first, 28, 4).filter(|_| image.has_header).unwrap_or(0);
        // More than four times what is there is not a truncated file but a damaged number.
        let most = of_file.max(committed.unwrap_or(0)).max(1).saturating_mul(4);
        image.pages = match committed {
            Some(committed) => committed,
            None => said.min(most).max(of_file),
        };
        Ok(image)
    }

    /// A page as it was last committed; `None`: it is not there, or not whole.
    pub(super) fn page(&mut self, number: u32) -> io::Result<Option<Vec<u8>>> {
        let Some(place) = number.checked_sub(1) else { return Ok(None) };
        let mut page = vec![0; self.page_size];
        let count = match (self.newer.get(&number), self.wal.as_mut()) {
            (Some(at), Some(wal)) => read_at(wal, *at, &mut page)?,
            (_, _) => read_at(&mut self.database, u64::from(place) * self.page_size as u64, &mut page)?,
        };
        Ok((count == page.len()).then_some(page))
    }

    /// Takes in every committed frame that its checksum proves. Tells how many pages the newest commit has.
    fn overlay(&mut self, path: &Path) -> io::Result<Option<u32>> {
        let mut wal = match File::open(path) {
            Ok(wal) => wal,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = wal.metadata()?.len();
        if length == 0 {
            return Ok(None);
        }
        let mut header = vec![0; WAL_HEADER as usize];
        let count = read_at(&mut wal, 0, &mut header)?;
        let field = |at| number(&header, at, 4).unwrap_or(0);
        let big_endian = field(0) & 1 == 1;
        let size = usize::try_from(field(8)).unwrap_or(0);
        let mut sums = checksum((0, 0), header.get(..24).unwrap_or_default(), big_endian);
        let is_header = count == header.len()
            && field(0) | 1 == 0x377f_0683
            && SIZES.contains(&size)
            && size.is_power_of_two()
            && sums == (field(24), field(28));
        if !is_header {
            self.wal_problem = Some("the head of the -wal is damaged: what it held is lost".into());
            return Ok(None);
        }
        self.page_size = size;
        let salts = (field(16), field(20));
        let (mut at, mut pending, mut committed, mut taken) = (WAL_HEADER, Vec::new(), None, WAL_HEADER);
        let mut frame = vec![0; FRAME_HEADER as usize + size];
        while read_at(&mut wal, at, &mut frame)? == frame.len() {
            let field = |at| number(&frame, at, 4).unwrap_or(0);
            if (field(8), field(12)) != salts {
                // The rest is of an earlier turn of the file.
                break;
            }
            sums = checksum(sums, frame.get(..8).unwrap_or_default(), big_endian);
            sums = checksum(sums, frame.get(FRAME_HEADER as usize..).unwrap_or_default(), big_endian);
            if sums != (field(16), field(20)) {
                self.wal_problem = Some(format!("the -wal is damaged from byte {at} on: what it held there is lost"));
                break;
            }
            pending.push((field(0), at + FRAME_HEADER));
            at += frame.len() as u64;
            if field(4) > 0 {
                committed = Some(field(4));
                taken = at;
                self.newer.extend(pending.drain(..));
            }
        }
        let is_cut = !(length - WAL_HEADER).is_multiple_of(frame.len() as u64);
        if (is_cut || taken < at) && self.wal_problem.is_none() {
            self.wal_problem = Some("the -wal ends within a transaction: it may have been cut off".into());
        }
        self.wal = Some(wal);
        Ok(committed)
    }
}

/// The page size that a first page tells, if it is one.
fn size_of(first: &[u8]) -> Option<usize> {
    let size = match number(first, 16, 2)? {
        1 => 65_536,
        size => usize::try_from(size).ok()?,
    };
    (first.starts_with(MAGIC) && SIZES.contains(&size) && size.is_power_of_two()).then_some(size)
}

fn read_at(file: &mut File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(at))?;
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// SQLite's checksum of a `-wal`, carried on over more bytes.
fn checksum((mut one, mut two): (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| match <[u8; 4]>::try_from(bytes) {
        Ok(bytes) if big_endian => u32::from_be_bytes(bytes),
        Ok(bytes) => u32::from_le_bytes(bytes),
        Err(_) => 0,
    };
    for pair in bytes.chunks_exact(8) {
        let (first, second) = pair.split_at(4);
        one = one.wrapping_add(word(first)).wrapping_add(two);
        two = two.wrapping_add(word(second)).wrapping_add(one);
    }
    (one, two)
}

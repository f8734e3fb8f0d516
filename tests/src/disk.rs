//! What a disk may hold after a power loss, made from what was written to it and synced.
//!
//! Sectors of 512 bytes are whole or not there. What was not synced may be there in part: of each sector any of the
//! versions written since. A name that was made or removed is sure once its folder was synced; until then the folder may
//! have any beginning of what happened to it. SQLite's file system sees no renaming: a file that it finds under a new name
//! is sure there. That the store syncs the file before and the folder after is for `tests/tests/syscalls.rs` to show, and
//! for what `recorder.rs` sees.

use crate::dice::Dice;
use crate::vfs::{Happening, Inode};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

const SECTOR: usize = 512;

/// The files of a folder.
pub type Image = BTreeMap<String, Vec<u8>>;

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All of it is lost.
    All,
    /// All of it is there: only the process ended.
    Nothing,
    /// So many of a hundred sectors are there.
    Sectors(u64),
}

impl Loss {
    /// One of them.
    pub fn any(dice: &mut Dice) -> Loss {
        *dice.pick(&[Loss::All, Loss::All, Loss::Nothing, Loss::Sectors(50), Loss::Sectors(90), Loss::Sectors(10)])
    }

    fn keeps(self, dice: &mut Dice) -> bool {
        match self {
            Loss::All => false,
            Loss::Nothing => true,
            Loss::Sectors(most) => dice.below(100) < most,
        }
    }
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

#[derive(Debug, Clone, Default)]
struct Content {
    sure: Vec<u8>,
    unsure: Vec<Change>,
}

impl Content {
    fn sync(&mut self) {
        for change in self.unsure.drain(..) {
            match change {
                Change::Write { at, bytes } => put(&mut self.sure, at, &bytes),
                Change::Cut(length) => self.sure.truncate(length),
            }
        }
    }

    fn after(&self, loss: Loss, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.sure.clone();
        for change in &self.unsure {
            match change {
                Change::Cut(length) if loss.keeps(dice) => bytes.truncate(*length),
                Change::Cut(_) => {}
                Change::Write { at, bytes: written } => {
                    let (mut at, mut rest) = (*at, written.as_slice());
                    while !rest.is_empty() {
                        let (sector, others) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                        if loss.keeps(dice) {
                            put(&mut bytes, at, sector);
                        }
                        (at, rest) = (at + sector.len(), others);
                    }
                }
            }
        }
        bytes
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}

/// A disk, as it is followed through what happens to it.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Files that were there at the start and have not been opened since.
    untouched: Image,
    names: BTreeMap<String, Inode>,
    /// What happened to names and is not sure: each whole or not at all.
    renamed: Vec<Vec<(String, Option<Inode>)>>,
    files: HashMap<Inode, Content>,
}

impl Disk {
    /// A disk that holds this, surely.
    pub fn of(image: &Image) -> Disk {
        Disk { untouched: image.clone(), ..Disk::default() }
    }

    /// What happens next. `syncs`: whether the disk does what it is told by a sync.
    pub fn follow(&mut self, happening: &Happening, syncs: bool) {
        match happening {
            Happening::Named { name, file, made } => self.name(name, *file, *made),
            Happening::Wrote { file, at, bytes } => {
                let at = usize::try_from(*at).expect("a small file");
                self.content(*file).unsure.push(Change::Write { at, bytes: bytes.clone() });
            }
            Happening::Cut { file, length } => {
                let length = usize::try_from(*length).expect("a small file");
                self.content(*file).unsure.push(Change::Cut(length));
            }
            Happening::Synced { file, names } if syncs => {
                self.content(*file).sync();
                if *names {
                    self.sync_names();
                }
            }
            Happening::Forsaken { file } => self.content(*file).unsure.clear(),
            Happening::Deleted { name, names } => {
                self.renamed.push(vec![(name.clone(), None)]);
                if *names && syncs {
                    self.sync_names();
                }
            }
            Happening::Renamed { from, to } => {
                let file = self.lately(from);
                self.renamed.push(vec![(from.clone(), None), (to.clone(), file)]);
            }
            Happening::SyncedNames if syncs => self.sync_names(),
            Happening::Synced { .. } | Happening::SyncedNames | Happening::Told(_) => {}
        }
    }

    fn name(&mut self, name: &str, file: Inode, made: bool) {
        let known = self.files.contains_key(&file);
        if !known {
            let sure = if made { Vec::new() } else { self.untouched.remove(name).unwrap_or_default() };
            self.files.insert(file, Content { sure, unsure: Vec::new() });
        }
        if made {
            self.renamed.push(vec![(name.to_owned(), Some(file))]);
        } else if self.lately(name) != Some(file) {
            // It was renamed, or made by others.
            self.names.retain(|_, other| *other != file);
            self.names.insert(name.to_owned(), file);
            self.renamed.retain(|change| change.iter().all(|(other, _)| other != name));
        }
    }

    /// What a name leads to, as the processes see it.
    fn lately(&self, name: &str) -> Option<Inode> {
        match self.renamed.iter().flatten().rev().find(|(other, _)| other == name) {
            Some((_, file)) => *file,
            None => self.names.get(name).copied(),
        }
    }

    fn content(&mut self, file: Inode) -> &mut Content {
        self.files.entry(file).or_default()
    }

    fn sync_names(&mut self) {
        for (name, file) in std::mem::take(&mut self.renamed).into_iter().flatten() {
            rename(&mut self.names, &mut self.untouched, name, file);
        }
    }

    /// What it holds if the power goes now.
    pub fn after(&self, loss: Loss, dice: &mut Dice) -> Image {
        let (mut names, mut image) = (self.names.clone(), self.untouched.clone());
        let kept = self.renamed.iter().take_while(|_| loss.keeps(dice)).count();
        for (name, file) in self.renamed.iter().take(kept).flatten() {
            rename(&mut names, &mut image, name.clone(), *file);
        }
        for (name, file) in names {
            let content = self.files.get(&file).map(|content| content.after(loss, dice));
            image.insert(name, content.unwrap_or_default());
        }
        image
    }
}

fn rename(names: &mut BTreeMap<String, Inode>, untouched: &mut Image, name: String, file: Option<Inode>) {
    untouched.remove(&name);
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

/// Puts the files into a folder, which loses what it has.
pub fn put_into(folder: &Path, image: &Image) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        fs::remove_file(entry.path()).expect("a file that goes");
    }
    for (name, bytes) in image {
        fs::write(folder.join(name), bytes).expect("a file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_stays_and_the_rest_may_go() {
        let mut disk = Disk::default();
        let wrote = |at, byte| Happening::Wrote { file: 1, at, bytes: vec![byte; 1024] };
        disk.follow(&Happening::Named { name: "a".into(), file: 1, made: true }, true);
        disk.follow(&wrote(0, 1), true);
        let mut dice = Dice::new(1);
        assert_eq!(disk.after(Loss::All, &mut dice), Image::new(), "not even its name");
        disk.follow(&Happening::Synced { file: 1, names: true }, true);
        disk.follow(&wrote(512, 2), true);
        let image = |bytes: &[(u8, usize)]| {
            let bytes = bytes.iter().flat_map(|(byte, many)| vec![*byte; *many]).collect::<Vec<u8>>();
            Image::from([("a".to_owned(), bytes)])
        };
        assert_eq!(disk.after(Loss::All, &mut dice), image(&[(1, 1024)]));
        assert_eq!(disk.after(Loss::Nothing, &mut dice), image(&[(1, 512), (2, 1024)]));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            seen.insert(disk.after(Loss::Sectors(50), &mut dice));
        }
        assert_eq!(seen.len(), 4, "each of two sectors is there or not");
        disk.follow(&Happening::Deleted { name: "a".into(), names: false }, true);
        assert_eq!(disk.after(Loss::All, &mut dice).len(), 1, "a name that was removed may come back");
    }
}

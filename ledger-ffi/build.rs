//! Names the shared library for the dynamic linker: cargo gives it no soname.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    // The number is BGL_ABI_VERSION in `src/code.rs`; a test compares them.
    match target.as_str() {
        "linux" | "freebsd" | "netbsd" | "openbsd" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libbgledger.so.0");
        }
        "macos" => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libbgledger.0.dylib"),
        _ => {}
    }
}

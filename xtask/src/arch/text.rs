//! What no file may say: unsafe, undone or skipped work, or where somebody's machine keeps things.

use super::Violation;
use crate::source::{File, code, lines_with};
use std::env;
use std::path::{Path, PathBuf};

const FORBIDDEN: &[(&str, &str)] = &[
    ("unsafe", "is forbidden everywhere"),
    ("todo!", "is not a way to leave work"),
    ("unimplemented!", "is not a way to leave work"),
    ("#[ignore", "skips a test: mend it or delete it"),
];

pub fn check(files: &[File], machine_paths: &[String]) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files {
        if file.is_rust() {
            let code = code(&file.text);
            for (token, why) in FORBIDDEN {
                let lines = lines_with(&code, token);
                found
                    .extend(lines.into_iter().map(|line| Violation::new(&file.path, line, format!("`{token}` {why}"))));
            }
        }
        for path in machine_paths {
            let lines = lines_with_path(&file.text, path);
            let what = || "names a folder of somebody's machine";
            found.extend(lines.into_iter().map(|line| Violation::new(&file.path, line, what())));
        }
    }
    found
}

/// Folders of this machine that no committed text should name: the checkout, what it stands in, and the home folder.
pub fn machine_paths(root: &Path) -> Vec<String> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let common =
        ["/tmp", "/var", "/home", "/usr", "/opt", "/srv", "/mnt", "/data", "/app", "/src", "/build", "/etc", "/run"];
    let worth = |path: &PathBuf| path.components().count() > 1 && !common.iter().any(|one| Path::new(one) == path);
    let mut paths: Vec<PathBuf> = [Some(root.to_path_buf()), home].into_iter().flatten().filter(worth).collect();
    // In CI a checkout may stand anywhere, in a folder whose name is innocent.
    if env::var_os("CI").is_none() {
        paths.extend(root.parent().map(Path::to_path_buf).filter(worth));
    }
    paths.into_iter().map(|path| path.display().to_string()).collect()
}

/// The lines that name the folder or something in it, from the root: `/a` is in `see /a/x`, not in `b/a/x`.
fn lines_with_path(text: &str, path: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./}".contains(&byte);
    text.match_indices(path)
        .filter(|(at, _)| !at.checked_sub(1).is_some_and(|before| inside(bytes[before])))
        .filter(|(at, _)| bytes.get(at + path.len()) == Some(&b'/'))
        .map(|(at, _)| 1 + text[..at].matches('\n').count())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{file, shown};
    use super::*;

    #[test]
    fn undone_and_skipped_work_is_found_in_tests_too() {
        let text =
            "fn a() { todo!() }\nfn b() { unimplemented!() }\n#[test]\n#[ignore = \"slow\"]\nfn c() { unsafe { d() } }";
        let found = shown(&check(&[file("crates/app/tests/a.rs", text)], &[]));
        assert_eq!(found.len(), 4, "{found:?}");
        for line in [1, 2, 4, 5] {
            assert!(found.iter().any(|one| one.starts_with(&format!("crates/app/tests/a.rs:{line}: "))), "{line}");
        }
    }

    #[test]
    fn talking_about_them_is_fine() {
        let text = "//! No `todo!()`.\n#![forbid(unsafe_code)]\nconst A: &str = \"unsafe\";";
        assert_eq!(check(&[file("crates/app/src/lib.rs", text), file("docs/a.md", "unsafe todo!()")], &[]), []);
    }

    #[test]
    fn a_folder_of_this_machine_is_found_in_any_text() {
        let paths = ["/somewhere".to_string()];
        let found = |text| check(&[file("docs/a.md", text)], &paths).len();
        assert_eq!(found("ok\nsee /somewhere/else and /somewhere/there"), 2);
        assert_eq!(found("see crates/somewhere/else, /somewhere-else/x, /somewhere"), 0);
    }

    #[test]
    fn innocent_folders_are_not_looked_for() {
        assert!(!machine_paths(Path::new("/tmp/clone")).contains(&"/tmp".to_string()));
        assert!(machine_paths(Path::new("/tmp/clone")).contains(&"/tmp/clone".to_string()));
        assert!(!machine_paths(Path::new("/")).contains(&"/".to_string()));
    }
}

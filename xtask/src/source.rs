//! The files of the checkout, and Rust source with comments, texts and test code blanked out.

use crate::shell::{Failure, fail, output, root};
use std::fs;
use std::process::Command as Process;

/// A text file of the checkout.
#[derive(Debug, Clone)]
pub struct File {
    /// From the root of the checkout, with slashes.
    pub path: String,
    pub text: String,
}

impl File {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Every text file that is committed, or would be by `git add`.
pub fn files() -> Result<Vec<File>, Failure> {
    let mut git = Process::new("git");
    git.current_dir(root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = output(&mut git)?;
    let mut files = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        match fs::read(root().join(path)) {
            Ok(bytes) if bytes.contains(&0) => {}
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => files.push(File { path: path.to_string(), text }),
                Err(_) => continue,
            },
            // Deleted and not yet committed so, or a link to a folder.
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory) => {}
            Err(error) => return fail(format!("cannot read {path}: {error}")),
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(files)
}

/// The same text with every comment, string and character blanked, line for line.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if is_raw_string(bytes, at) => raw_end(bytes, at),
            b'\'' => char_end(text, at),
            _ => {
                at += 1;
                continue;
            }
        };
        blank(&mut out, at, end);
        at = end;
    }
    // Only whole texts and comments are blanked, so what is left is UTF-8 still.
    String::from_utf8_lossy(&out).into_owned()
}

fn blank(out: &mut [u8], from: usize, to: usize) {
    for byte in out[from..to].iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |len| at + len)
}

fn block_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_raw_string(bytes: &[u8], at: usize) -> bool {
    // `br"` and `cr"` are raw strings too, `for"` isn't.
    let before = match at.checked_sub(1).map(|at| bytes[at]) {
        Some(b'b' | b'c') => at.checked_sub(2).map(|at| bytes[at]),
        other => other,
    };
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    !before.is_some_and(is_word) && bytes.get(at + 1 + hashes) == Some(&b'"')
}

fn raw_end(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let body = at + 2 + hashes;
    let len = bytes[body..].windows(close.len()).position(|window| window == close);
    len.map_or(bytes.len(), |len| body + len + close.len())
}

/// The end of a character, or of the tick of a lifetime.
fn char_end(text: &str, at: usize) -> usize {
    let mut rest = text[at + 1..].char_indices();
    match rest.next() {
        Some((_, '\\')) => {
            rest.next();
            rest.find(|(_, c)| *c == '\'').map_or(text.len(), |(len, _)| at + 1 + len + 1)
        }
        Some(_) => match rest.next() {
            Some((len, '\'')) => at + 1 + len + 1,
            _ => at + 1,
        },
        None => text.len(),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// [`code`] with items under `#[cfg(test)]` blanked too; and the modules that are only for tests, by name.
pub fn shipped(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.as_bytes().to_vec();
    let mut modules = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find(MARK).map(|len| from + len) {
        let rest = &code[at + MARK.len()..];
        let end = match rest.find(['{', ';']) {
            Some(len) if rest[len..].starts_with('{') => at + MARK.len() + len + braces(&rest[len..]),
            Some(len) => {
                if let Some((_, name)) = rest[..len].rsplit_once("mod ") {
                    modules.push(name.trim().to_string());
                }
                at + MARK.len() + len + 1
            }
            None => code.len(),
        };
        blank(&mut out, at, end);
        from = end;
    }
    (String::from_utf8_lossy(&out).into_owned(), modules)
}

/// How long the block is that `text` begins with.
fn braces(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The files of a module `name` that is declared in the file at `path`: a file, and a folder's beginning.
pub fn module_files(path: &str, name: &str) -> [String; 2] {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = file.trim_end_matches(".rs");
    let folder = if ["lib", "main", "mod"].contains(&stem) { folder.to_string() } else { format!("{folder}/{stem}") };
    [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")]
}

/// Where `token` stands as a whole word in `code`, as line numbers from 1.
pub fn lines_with(code: &str, token: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let edge = |byte: Option<&u8>| !byte.copied().is_some_and(is_word);
    let ends_in_word = token.bytes().next_back().is_some_and(is_word);
    let starts_in_word = token.bytes().next().is_some_and(is_word);
    code.match_indices(token)
        .filter(|(at, _)| !starts_in_word || edge(at.checked_sub(1).and_then(|at| bytes.get(at))))
        .filter(|(at, _)| !ends_in_word || edge(bytes.get(at + token.len())))
        .map(|(at, _)| 1 + code[..at].matches('\n').count())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_texts_are_blanked_and_code_stays() {
        let text = "let a = \"tokio \\\" x\"; // tokio\n/* a /* tokio */ b\n*/ let b = r#\"to\"kio\"#; let c = '\"';\n\
                    fn f<'a>(x: &'a str) { let q = '\\''; tokio::spawn(b\"tokio\", br\"tokio\") } // é";
        let code = code(text);
        assert_eq!(code.lines().count(), text.lines().count());
        assert_eq!(lines_with(&code, "tokio"), [4]);
        assert!(code.contains("fn f< a>(x: & a str)"), "{code}");
        assert_eq!(lines_with(&code, "let"), [1, 3, 3, 4]);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(lines_with("grand rand_core brand", "rand"), [0_usize; 0]);
        assert_eq!(lines_with("a::rand::b\nuse rand;", "rand"), [1, 2]);
        assert_eq!(lines_with("x.todo!()\n#[ignore = 1]", "#[ignore"), [2]);
    }

    #[test]
    fn test_code_is_not_shipped() {
        let text =
            "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { {} }\n}\nfn c() {}\n#[cfg(test)]\nmod other;\nfn d() {}";
        let (shipped, modules) = shipped(text);
        assert_eq!(shipped.lines().count(), text.lines().count());
        for (name, kept) in [("a", true), ("b", false), ("c", true), ("d", true)] {
            assert_eq!(shipped.contains(&format!("fn {name}")), kept, "{name}");
        }
        assert_eq!(modules, ["other"]);
        assert_eq!(module_files("crates/x/src/lib.rs", "other"), ["crates/x/src/other.rs", "crates/x/src/other/"]);
        assert_eq!(module_files("crates/x/src/a.rs", "other"), ["crates/x/src/a/other.rs", "crates/x/src/a/other/"]);
    }
}

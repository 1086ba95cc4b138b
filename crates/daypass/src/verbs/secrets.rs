//! Where passwords come from: a file, an environment variable, or the terminal. Never the command line, which others see.

use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
};

use daypass_api::SecretText;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The longest password that is read, in bytes.
const PASSWORD_BYTES: u64 = 4 * 1024;

/// Where a password comes from.
#[derive(Debug, Clone, clap::Args)]
pub struct PasswordArgs {
    /// Read the password from this file (- for standard input); DAYPASS_PASSWORD does too
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Whether a password is known already, or made up now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is known.
    Once,
    /// It is new, so it is typed twice.
    Twice,
}

impl PasswordArgs {
    /// Whether a password is given without asking for it.
    pub fn is_given(&self) -> bool {
        self.password_file.is_some() || std::env::var_os("DAYPASS_PASSWORD").is_some_and(|text| !text.is_empty())
    }

    /// The password.
    pub fn password(&self, prompt: &str, asked: Asked) -> Result<SecretText, Failure> {
        password(self.password_file.as_deref(), "DAYPASS_PASSWORD", prompt, asked)
    }
}

/// A password out of a file, else out of a variable, else from the terminal.
pub fn password(file: Option<&Path>, variable: &str, prompt: &str, asked: Asked) -> Result<SecretText, Failure> {
    if let Some(path) = file {
        return from_file(path);
    }
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => return Ok(SecretText::new(text)),
        Ok(_) | Err(_) => {}
    }
    let typed = typed(prompt, variable)?;
    if asked == Asked::Twice && *typed != *self::typed("The same again: ", variable)? {
        return Err(Failure::setting("the two aren't the same; nothing was done"));
    }
    Ok(SecretText::new(typed.to_string()))
}

fn typed(prompt: &str, variable: &str) -> Result<Zeroizing<String>, Failure> {
    let read = rpassword::prompt_password(prompt);
    read.map(Zeroizing::new).map_err(|_| {
        Failure::setting(format!(
            "there is no terminal to ask for a password on: use --password-file, or set {variable}"
        ))
    })
}

fn from_file(path: &Path) -> Result<SecretText, Failure> {
    let mut text = Zeroizing::new(String::new());
    let mut reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|e| Failure::file(path, &e))?)
    };
    reader.by_ref().take(PASSWORD_BYTES).read_to_string(&mut text).map_err(|e| Failure::file(path, &e))?;
    let line = text.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(Failure::setting(format!("{} is empty", path.display())));
    }
    Ok(SecretText::new(line.to_owned()))
}

/// A line that the person types; nothing when there is no person, or they typed nothing.
pub fn asked(prompt: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    show_prompt(prompt);
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

fn show_prompt(prompt: &str) {
    use std::io::Write;
    let mut error = std::io::stderr().lock();
    let _ = write!(error, "{prompt}");
    let _ = error.flush();
}

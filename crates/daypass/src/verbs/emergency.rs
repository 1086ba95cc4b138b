//! Emergency kits: a login for when Daypass is down, opened by two people together.

use std::{
    fs::OpenOptions,
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use daypass_api::{
    changes::{Handed, Proposed},
    emergency::{EmergencyKit, KitAlarm, KitFile, KitHolder, KitState, MakeKit, RotateKit},
};

use super::{
    Context, changes,
    output::{self, Rows},
    words,
};
use crate::{
    client::kits,
    failure::{Exit, Failure},
    say,
};

/// The longest file that is read for a key.
const KEY_BYTES: u64 = 64 * 1024;

/// Verbs of `emergency-kit`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum KitVerb {
    /// Make a kit for a resource: a login of its own there, whose credential is sealed to two people, half to each
    #[command(
        after_help = "Example: daypass emergency-kit make orders --to alice.age-recipient --to bob=age1... --out /media/usb"
    )]
    Make {
        /// The resource
        resource: String,
        /// One of the two people: NAME.age-recipient (a file that holds their public key), NAME=FILE, or NAME=age1...
        #[arg(long, required = true, value_name = "WHO")]
        to: Vec<String>,
        /// A role of the resource that it gives; all of them when none is named
        #[arg(long)]
        role: Vec<String>,
        /// Where to put the files: two for each person. Nothing there is overwritten
        #[arg(long, default_value = ".", value_name = "FOLDER")]
        out: PathBuf,
    },
    /// List kits: for what, to whom, when sealed, when used, what is to be done
    #[command(after_help = "Example: daypass emergency-kit list")]
    List,
    /// Show one
    #[command(after_help = "Example: daypass emergency-kit show kit_0193...")]
    Show {
        /// Its id
        id: String,
    },
    /// Seal a kit anew, to the same two people or to others: what was sealed before opens nothing, its sessions end
    #[command(after_help = "Example: daypass emergency-kit rotate kit_0193... --out /media/usb")]
    Rotate {
        /// Its id
        id: String,
        /// One of two other people, as for `make`; the same two as before when none is named
        #[arg(long, value_name = "WHO")]
        to: Vec<String>,
        /// Where to put the files. Nothing there is overwritten
        #[arg(long, default_value = ".", value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Close the review of a kit's use, when you hold no half of it
    #[command(
        after_help = "Example: daypass emergency-kit review kit_0193... --words \"Disk full; alice and bob freed space\""
    )]
    Review {
        /// Its id
        id: String,
        /// What happened, and whether it was right
        #[arg(long)]
        words: String,
    },
    /// Take a kit away: its login is ended at the target, and dropped
    #[command(after_help = "Example: daypass emergency-kit remove kit_0193...")]
    Remove {
        /// Its id
        id: String,
    },
}

/// Runs a verb of `emergency-kit`.
pub async fn kit(context: &Context, verb: KitVerb) -> Result<(), Failure> {
    match verb {
        KitVerb::Make { resource, to, role, out } => {
            let body = MakeKit { resource, roles: role, to: holders(&to)? };
            must_be_a_folder(&out)?;
            deliver(context, &kits::make(&context.api()?, &body).await?, &out)
        }
        KitVerb::Rotate { id, to, out } => {
            let body = RotateKit { to: if to.is_empty() { Vec::new() } else { holders(&to)? } };
            must_be_a_folder(&out)?;
            deliver(context, &kits::rotate(&context.api()?, &id, &body).await?, &out)
        }
        KitVerb::List => {
            let kits = kits::list(&context.api()?).await?;
            context.format.show(&kits, |kits| table(kits))
        }
        KitVerb::Show { id } => {
            let kit = kits::show(&context.api()?, &id).await?;
            context.format.show(&kit, shown)
        }
        KitVerb::Review { id, words } => {
            let kit = kits::review(&context.api()?, &id, words).await?;
            context.format.show(&kit, |kit| format!("The use of {} is reviewed. {}", kit.id, left(kit)))
        }
        KitVerb::Remove { id } => {
            let kit = kits::remove(&context.api()?, &id).await?;
            context.format.show(&kit, |kit| {
                format!("{} is taken away; the end of its login at the target is confirmed in `daypass show`.", kit.id)
            })
        }
    }
}

/// Two people, each with a key.
fn holders(to: &[String]) -> Result<Vec<KitHolder>, Failure> {
    if to.len() != 2 {
        return Err(Failure::setting(format!(
            "a kit is sealed to two people, half to each, and {} named: say --to twice",
            match to.len() {
                1 => "one is".to_owned(),
                many => format!("{many} are"),
            }
        )));
    }
    to.iter().map(|who| holder(who)).collect()
}

/// `NAME=age1...`, `NAME=FILE`, or a file called `NAME.age-recipient`.
fn holder(who: &str) -> Result<KitHolder, Failure> {
    if is_secret(who) {
        return Err(secret("--to"));
    }
    if let Some((user, key)) = who.split_once('=') {
        let recipient = if key.starts_with("age1") { key.to_owned() } else { recipient_in(Path::new(key))? };
        return Ok(KitHolder { user: user.to_owned(), recipient });
    }
    let path = Path::new(who);
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".age-recipient"));
    match name {
        Some(user) if !user.is_empty() => Ok(KitHolder { user: user.to_owned(), recipient: recipient_in(path)? }),
        Some(_) | None => Err(Failure::setting(format!(
            "whose key is in `{}`? Call the file NAME.age-recipient, or say NAME={}",
            say::shown(who),
            say::shown(who)
        ))),
    }
}

/// The one line of a file that isn't a comment. What is in it is never shown: it may be a secret key by mistake.
fn recipient_in(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|e| Failure::file(path, &e))?;
    file.take(KEY_BYTES).read_to_string(&mut text).map_err(|e| Failure::file(path, &e))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = lines.next().unwrap_or_default().to_owned();
    if is_secret(&line) {
        return Err(secret(&path.display().to_string()));
    }
    match (line.is_empty(), lines.next()) {
        (false, None) => Ok(line),
        (_, _) => Err(Failure::setting(format!(
            "{} should hold one public key, a line that begins with age1, as age-keygen -y prints it",
            path.display()
        ))),
    }
}

fn is_secret(text: &str) -> bool {
    text.to_ascii_uppercase().contains("AGE-SECRET-KEY-")
}

fn secret(place: &str) -> Failure {
    Failure::setting(format!(
        "{place} holds a secret key, which its owner gives to nobody, and nothing of it was sent. Take the public key: \
         age-keygen -y FILE"
    ))
}

fn must_be_a_folder(out: &Path) -> Result<(), Failure> {
    if out.is_dir() {
        return Ok(());
    }
    // Before the kit is made: its files are handed out once.
    Err(Failure::setting(format!("{} isn't a folder: make it first, and nothing was done", out.display())))
}

/// Writes what was handed out, then says what came of the change.
fn deliver(context: &Context, proposed: &Proposed, out: &Path) -> Result<(), Failure> {
    let mut written = Vec::new();
    match &proposed.handed {
        Some(Handed::Kit { kit: _, files }) => {
            for file in files {
                for (name, text) in contents(file) {
                    let path = out.join(free_name(out, name)?);
                    write_new(&path, text)?;
                    written.push(path);
                }
            }
        }
        Some(Handed::Invitation { .. } | Handed::InvitationHalf { .. } | Handed::Token { .. }) | None => {}
    }
    for path in &written {
        say::note(&format!("Wrote {}", path.display()));
    }
    if !written.is_empty() {
        say::note(
            "Give each person their own two files, by a way that the other doesn't read, and delete them here. Print the \
             .txt: it says what to do.",
        );
    }
    changes::finish(context, proposed)
}

fn contents(file: &KitFile) -> [(&str, &str); 2] {
    [(&file.sealed_name, file.sealed.expose()), (&file.page_name, file.page.expose())]
}

/// The name of a file, as the server says it; with a number where there is one of that name. It stays in its folder,
/// whatever the server says.
fn free_name(folder: &Path, name: &str) -> Result<String, Failure> {
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    if !plain(name) || name.starts_with('.') || name.is_empty() {
        return Err(Failure::data(format!("the server calls a file `{}`, which is no name for one", say::shown(name))));
    }
    if !folder.join(name).exists() {
        return Ok(name.to_owned());
    }
    let taken = (2..1000).map(|n| match name.rsplit_once('.') {
        Some((stem, ending)) => format!("{stem}-{n}.{ending}"),
        None => format!("{name}-{n}"),
    });
    let free = taken.into_iter().find(|name| !folder.join(name).exists());
    free.ok_or_else(|| Failure::setting(format!("{} is full of kits: choose another folder", folder.display())))
}

/// Only for its owner, and never over something that is there.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|e| {
        Failure::new(
            Exit::Other,
            format!("{}: {e}. What the server handed out is lost with it", path.display()),
            "make room, and seal it anew with `daypass emergency-kit rotate`, or take the change back and propose it again",
        )
    })
}

fn table(kits: &[EmergencyKit]) -> String {
    let mut rows = Rows::new(
        &["id", "resource", "holders", "state", "sealed", "last used", "to do"],
        "No emergency kits. Make one with: daypass emergency-kit make RESOURCE --to WHO --to WHO",
    );
    for kit in kits {
        let users: Vec<&str> = kit.holders.iter().map(|holder| holder.user.as_str()).collect();
        rows.row([
            kit.id.as_str(),
            &kit.resource,
            &users.join(", "),
            state(&kit.state),
            &words::time(kit.sealed),
            &kit.last_used.map_or_else(|| "never".to_owned(), words::time),
            to_do(kit),
        ]);
    }
    rows.text()
}

fn state(state: &KitState) -> &'static str {
    match state {
        KitState::Making => "not at the target yet",
        KitState::Ready { .. } => "ready",
        KitState::Removing { .. } => "being removed",
        KitState::Gone { .. } => "gone",
    }
}

fn to_do(kit: &EmergencyKit) -> &'static str {
    match (&kit.alarm, kit.rotation_due) {
        (KitAlarm::Raised { reviewed: None, rotated: None, .. }, true) => "USED: rotate, review",
        (KitAlarm::Raised { reviewed: None, .. }, false | true) => "USED: review",
        (KitAlarm::Raised { reviewed: Some(_), .. }, false | true) => "USED: rotate",
        (KitAlarm::Quiet, true) => "rotate",
        (KitAlarm::Quiet, false) => "",
    }
}

fn left(kit: &EmergencyKit) -> String {
    match &kit.alarm {
        KitAlarm::Quiet => "Nothing more needs doing.".to_owned(),
        KitAlarm::Raised { .. } => kit.attention.join("\n"),
    }
}

/// One kit, for people.
pub fn shown(kit: &EmergencyKit) -> String {
    let mut pairs = vec![
        ("kit", kit.id.to_string()),
        ("resource", kit.resource.clone()),
        ("login", kit.login.clone()),
        ("roles", kit.roles.join(", ")),
    ];
    for holder in &kit.holders {
        pairs.push(("half", format!("{}, for {}", holder.user, holder.recipient)));
    }
    pairs.extend([
        ("state", state(&kit.state).to_owned()),
        ("made", words::time(kit.made)),
        ("sealed", words::time(kit.sealed)),
        ("last used", kit.last_used.map_or_else(|| "never seen".to_owned(), words::time)),
    ]);
    if let KitState::Gone { confirmation, .. } = &kit.state {
        pairs.push(("end", confirmation.clone()));
    }
    if let KitAlarm::Raised { first, reviewed, .. } = &kit.alarm {
        pairs.push(("USED", format!("first seen {}", words::time(*first))));
        pairs.extend(reviewed.as_ref().map(|review| ("review", format!("by {}: {}", review.by, review.words))));
    }
    let lines = kit.attention.iter().map(|line| format!("\n! {}", say::shown(line)));
    std::iter::once(output::fields(&pairs)).chain(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    #[test]
    fn whose_key_it_is_is_said_by_the_argument_or_by_the_name_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alice.age-recipient");
        std::fs::write(&file, format!("# public key of alice\n{KEY}\n")).unwrap();
        let path = file.to_str().unwrap();
        let alice = KitHolder { user: "alice".into(), recipient: KEY.into() };
        assert_eq!(holder(path).unwrap(), alice);
        assert_eq!(holder(&format!("alice={KEY}")).unwrap(), alice);
        assert_eq!(holder(&format!("alice={path}")).unwrap(), alice);
        assert!(holder(KEY).unwrap_err().to_string().contains("whose key"));
        assert!(holders(&[path.to_owned()]).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn a_secret_key_is_refused_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("alice.age-recipient");
        std::fs::write(&file, "# created: today\nAGE-SECRET-KEY-1QQQQQ\n").unwrap();
        for to in [file.to_str().unwrap(), "alice=AGE-SECRET-KEY-1QQQQQ", "age-secret-key-1qqqqq"] {
            let said = holder(to).unwrap_err().to_string();
            assert!(said.contains("secret key") && !said.to_ascii_uppercase().contains("QQQQQ"), "{said}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_leaves_its_folder() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join(free_name(folder.path(), "emergency-orders-alice.age").unwrap());
        write_new(&first, "one").unwrap();
        assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_new(&first, "two").is_err());
        assert_eq!(std::fs::read_to_string(&first).unwrap(), "one");
        assert_eq!(free_name(folder.path(), "emergency-orders-alice.age").unwrap(), "emergency-orders-alice-2.age");
        for bad in ["../x", "/etc/x", ".bashrc", "a b", ""] {
            assert!(free_name(folder.path(), bad).is_err(), "{bad}");
        }
    }
}

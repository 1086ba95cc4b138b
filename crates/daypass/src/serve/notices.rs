//! `[notices]` in server.toml: by which channels people hear, and of what.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use daypass_app::notices::{Audience, Notices, Way};
use daypass_domain::{Name, Span, notice::Topic};
use daypass_integrations::notices as channels;
use daypass_ports::secret::Credentials;
use serde::Deserialize;

use super::config::Config;

/// How notices go. Every key may be left out; without a channel nothing is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long the first approvers have before the next ones hear, like `10m`.
    escalate_after: Option<String>,
    /// How long before its deadline the end of a grant is told, like `10m`.
    end_near: Option<String>,
    /// How many approvers hear at once, at most.
    at_once: Option<u16>,
    /// The channels, by name.
    channel: BTreeMap<Name, Channel>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Channel {
    /// The regions whose names it may have; none by default. // I10
    #[serde(default)]
    names_of: BTreeSet<Name>,
    /// To those in one of these groups; to everybody who is concerned by default.
    #[serde(default)]
    groups: BTreeSet<Name>,
    /// About these; about everything by default.
    #[serde(default)]
    topics: BTreeSet<Topic>,
    /// What it is.
    via: channels::Settings,
}

/// What the configuration says, made to be used.
pub fn open(config: &Config, credentials: &Arc<dyn Credentials>) -> Result<Notices, String> {
    let settings = config.notices.clone();
    let default = Notices::default();
    let span = |key: &str, text: Option<String>, default: Span| match text {
        None => Ok(default),
        Some(text) => text.parse::<Span>().map_err(|e| format!("`{key}` under [notices]: {e}")),
    };
    let mut ways = Vec::new();
    for (name, Channel { names_of, groups, mut topics, via }) in settings.channel {
        let channel = via.open(Arc::clone(credentials)).map_err(|e| format!("[notices.channel.{name}]: {e}"))?;
        if topics.is_empty() {
            topics.extend([Topic::Approvals, Topic::Outcomes, Topic::Ends, Topic::Changes, Topic::Alarms]);
        }
        let audience = if groups.is_empty() { Audience::Everybody } else { Audience::Groups(groups) };
        ways.push(Way { name, channel, names_of, audience, topics });
    }
    Ok(Notices {
        channels: ways,
        url: config.url(config.api),
        escalate_after: span("escalate_after", settings.escalate_after, default.escalate_after)?,
        end_near: span("end_near", settings.end_near, default.end_near)?,
        at_once: settings.at_once.map_or(default.at_once, usize::from).max(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::credentials::Bound;

    fn opened(text: &str) -> Result<Notices, String> {
        let config: Config = toml::from_str(text).map_err(|e| e.to_string())?;
        let bound: Arc<dyn Credentials> = Arc::new(Bound(config.credentials.clone()));
        open(&config, &bound)
    }

    #[test]
    fn what_the_documentation_shows_is_taken() {
        let document = include_str!("../../../../docs/notices.md");
        let example = document.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let notices = opened(example).unwrap();
        let channels: Vec<_> = notices.channels.iter().map(|way| way.name.as_str()).collect();
        assert_eq!(channels, ["hook", "mail", "ops-room", "slack", "team-room"]);
        assert_eq!(notices.url, "https://daypass.example.com:7443");
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_with_what_to_write() {
        for (wrong, why) in [
            ("[notices]\nescalate_after = \"soon\"", "`escalate_after` under [notices]"),
            ("[notices.channel.a]\nvia = {}", "[notices.channel.a]: a channel has exactly one of"),
            ("[notices.channel.a]\nvia.pigeon = {}", "unknown field `pigeon`"),
            ("[notices.channel.a]\ntopics = [\"all\"]\nvia.slack.credential = \"b\"", "unknown variant `all`"),
        ] {
            let said = opened(wrong).err().unwrap();
            assert!(said.contains(why), "{wrong}: {said}");
        }
    }
}

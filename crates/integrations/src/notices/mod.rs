//! Ways for notices: one a file, and a line in [`Settings`] and [`Settings::open`].
//!
//! What a channel may say stands in `daypass_ports::notices`; what a service expects stays in the file that speaks to it.

pub mod room;
mod slack;
pub mod slack_bot;
pub mod smtp;
mod teams;
pub mod webhook;

#[cfg(test)]
mod letters;

use std::sync::Arc;

use daypass_ports::{notices::Channel, secret::Credentials};
use serde::Deserialize;

/// One channel's settings: exactly one of these.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Mail, to each person.
    pub smtp: Option<smtp::Settings>,
    /// Slack: into a channel.
    pub slack: Option<room::Settings>,
    /// Slack: to each person, as an app's bot.
    pub slack_bot: Option<slack_bot::Settings>,
    /// Microsoft Teams: into a channel or a chat.
    pub teams: Option<room::Settings>,
    /// A program of one's own, by Standard Webhooks.
    pub webhook: Option<webhook::Settings>,
}

/// Why settings can't be used: what is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSettings(pub String);

impl Settings {
    /// The channel that they describe. Nothing is connected to yet.
    ///
    /// # Errors
    /// When they make no sense.
    pub fn open(self, credentials: Arc<dyn Credentials>) -> Result<Arc<dyn Channel>, BadSettings> {
        match self {
            Self { smtp: Some(smtp), slack: None, slack_bot: None, teams: None, webhook: None } => {
                Ok(Arc::new(smtp::Smtp::open(smtp, credentials)?))
            }
            Self { smtp: None, slack: Some(slack), slack_bot: None, teams: None, webhook: None } => {
                Ok(Arc::new(room::Room::open(slack, credentials, slack::message)?))
            }
            Self { smtp: None, slack: None, slack_bot: Some(bot), teams: None, webhook: None } => {
                Ok(Arc::new(slack_bot::SlackBot::open(bot, credentials)?))
            }
            Self { smtp: None, slack: None, slack_bot: None, teams: Some(teams), webhook: None } => {
                Ok(Arc::new(room::Room::open(teams, credentials, teams::message)?))
            }
            Self { smtp: None, slack: None, slack_bot: None, teams: None, webhook: Some(webhook) } => {
                Ok(Arc::new(webhook::Webhook::open(webhook, credentials)?))
            }
            Self { .. } => {
                Err(BadSettings("a channel has exactly one of smtp, slack, slack_bot, teams, webhook".to_owned()))
            }
        }
    }
}

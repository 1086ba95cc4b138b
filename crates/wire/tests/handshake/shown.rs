//! Bytes on the wire as text, read by an independent parser where it gives what is inside.

use std::fmt;

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;

/// What a server sent, one message after the other.
pub fn from_server(bytes: &[u8]) -> String {
    let mut rest = BytesMut::from(bytes);
    let mut shown = Vec::new();
    while let Some(first) = rest.first().copied() {
        // The answer to a request for encryption is a byte, and every length here begins with a zero byte.
        if matches!(first, b'S' | b'N') && rest.get(1) != Some(&0) {
            shown.push(format!("byte {}", char::from(first)));
            let _ = rest.split_to(1);
            continue;
        }
        let len = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize + 1;
        let body = rest[5..len].to_vec();
        if first == b'v' {
            // Not known to the parser.
            shown.push(format!("NegotiateProtocolVersion {}", body.escape_ascii()));
            let _ = rest.split_to(len);
        } else {
            shown.push(message(Message::parse(&mut rest).unwrap().expect("whole messages"), &body));
        }
    }
    shown.join("; ")
}

fn message(message: Message, body: &[u8]) -> String {
    match message {
        Message::AuthenticationOk => "AuthenticationOk".to_owned(),
        Message::AuthenticationSasl(_) => format!("AuthenticationSASL {}", texts(&body[4..]).join(" ")),
        Message::AuthenticationSaslContinue(_) => "AuthenticationSASLContinue".to_owned(),
        Message::AuthenticationSaslFinal(_) => "AuthenticationSASLFinal".to_owned(),
        Message::BackendKeyData(body) => format!("BackendKeyData {} {:#010x}", body.process_id(), body.secret_key()),
        Message::ParameterStatus(body) => format!("ParameterStatus {}={}", body.name().unwrap(), body.value().unwrap()),
        Message::ReadyForQuery(body) => format!("ReadyForQuery {}", char::from(body.status())),
        Message::ErrorResponse(_) => format!("Error {}", fields(body)),
        Message::NoticeResponse(_) => format!("Notice {}", fields(body)),
        _ => panic!("a message that isn't of a handshake"),
    }
}

fn fields(body: &[u8]) -> String {
    texts(body).into_iter().filter(|field| !field.starts_with('V')).collect::<Vec<_>>().join(" | ")
}

fn texts(body: &[u8]) -> Vec<String> {
    let (last, texts) = body.split_last().expect("a final zero");
    assert_eq!(*last, 0);
    let texts = texts.strip_suffix(&[0]).expect("a last text's zero");
    texts.split(|byte| *byte == 0).map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
}

/// What each event does in each state; a state's events that do the same stand together.
#[derive(Default)]
pub struct Table {
    rows: Vec<(String, Vec<Row>)>,
}

struct Row {
    events: Vec<&'static str>,
    outputs: Vec<String>,
}

impl Table {
    pub fn add(&mut self, state: &str, event: &'static str, outputs: Vec<String>) {
        if self.rows.last().is_none_or(|(last, _)| last != state) {
            self.rows.push((state.to_owned(), Vec::new()));
        }
        let (_, rows) = self.rows.last_mut().expect("the row just pushed");
        match rows.iter_mut().find(|row| row.outputs == outputs) {
            Some(row) => row.events.push(event),
            None => rows.push(Row { events: vec![event], outputs }),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (state, rows) in &self.rows {
            writeln!(f, "{state}")?;
            for row in rows {
                writeln!(f, "  {}", row.events.join(" / "))?;
                row.outputs.iter().try_for_each(|output| writeln!(f, "    {output}"))?;
                if row.outputs.is_empty() {
                    writeln!(f, "    nothing: it waits, or is done")?;
                }
            }
        }
        Ok(())
    }
}

/// What a client sent: a startup packet, or a SASL response.
pub fn from_client(bytes: &[u8]) -> String {
    match bytes {
        [0, ..] => format!("packet {}", bytes[4..].escape_ascii()),
        [b'p', ..] => "SASL response".to_owned(),
        other => panic!("not of a handshake: {}", other.escape_ascii()),
    }
}

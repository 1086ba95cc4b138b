//! The conversation: lines from standard input, lines to standard output, and the calls that are under way.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    sync::Arc,
    time::Duration,
};

use daypass_wire::mcp::{CALLS_MAX, Lines, Machine, Output, Ticket};
use serde_json::Value;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{agent::Agent, offer};
use crate::failure::Failure;

/// How much is read at once, in bytes.
const READ_LEN: usize = 64 << 10;
/// How many lines wait to be written, at most.
const WAITING: usize = 32;
/// How many calls there are at most, with those that were stopped and aren't over: what they do has to end too.
const CALLS_MOST: usize = 2 * CALLS_MAX;
/// How long is waited at the end for calls that were stopped, and for lines that nobody reads.
const ENDING: Duration = Duration::from_secs(5);

/// A call is to stop: when this says so, or is gone.
pub type Stop = oneshot::Receiver<()>;

/// Serves until standard input ends, standard output is closed, or a signal comes.
pub async fn serve(agent: &Arc<Agent>) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::setting)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::setting)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::setting)?;
    let mut input = reader()?;
    let (said, written) = writer()?;
    let (mut lines, mut talk) = (Lines::default(), Talk::new(Arc::clone(agent), said));
    loop {
        let goes_on = tokio::select! {
            bytes = input.recv(), if talk.calls.len() < CALLS_MOST => match bytes {
                Some(bytes) => talk.heard(&mut lines, &bytes).await,
                None => GoesOn::No,
            },
            Some(done) = talk.calls.join_next() => match done {
                Ok((ticket, result)) => talk.done(ticket, result).await,
                // A call that panicked was told of on standard error, and answers nothing.
                Err(_) => GoesOn::Yes,
            },
            _ = terminate.recv() => GoesOn::No,
            _ = interrupt.recv() => GoesOn::No,
            _ = hangup.recv() => GoesOn::No,
        };
        if goes_on == GoesOn::No {
            break;
        }
    }
    talk.end().await;
    // Whoever doesn't read any more keeps nobody here.
    let _ = tokio::time::timeout(ENDING, written).await;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GoesOn {
    Yes,
    No,
}

/// What is said, and what is under way.
struct Talk {
    agent: Arc<Agent>,
    machine: Machine,
    said: mpsc::Sender<String>,
    calls: JoinSet<(Ticket, Value)>,
    /// What stops each.
    stops: HashMap<Ticket, oneshot::Sender<()>>,
}

impl Talk {
    fn new(agent: Arc<Agent>, said: mpsc::Sender<String>) -> Self {
        let (machine, calls, stops) = (Machine::new(offer::offer()), JoinSet::new(), HashMap::new());
        Self { agent, machine, said, calls, stops }
    }

    async fn heard(&mut self, lines: &mut Lines, bytes: &[u8]) -> GoesOn {
        for line in lines.take(bytes) {
            for output in self.machine.line(&line) {
                let goes_on = match output {
                    Output::Say(text) => self.say(text).await,
                    Output::Call { ticket, tool, arguments } => {
                        let (stops, stop) = oneshot::channel();
                        self.stops.insert(ticket, stops);
                        let agent = Arc::clone(&self.agent);
                        self.calls.spawn(async move {
                            (ticket, offer::call(&agent, &tool, Value::Object(arguments), stop).await)
                        });
                        GoesOn::Yes
                    }
                    Output::Stop(ticket) => {
                        // Its end says so to the call.
                        self.stops.remove(&ticket);
                        GoesOn::Yes
                    }
                };
                if goes_on == GoesOn::No {
                    return GoesOn::No;
                }
            }
        }
        GoesOn::Yes
    }

    async fn done(&mut self, ticket: Ticket, result: Value) -> GoesOn {
        self.stops.remove(&ticket);
        match self.machine.done(ticket, result) {
            Some(text) => self.say(text).await,
            None => GoesOn::Yes,
        }
    }

    async fn say(&self, text: String) -> GoesOn {
        match self.said.send(text).await {
            Ok(()) => GoesOn::Yes,
            Err(_) => GoesOn::No,
        }
    }

    /// Stops what is under way, and waits for it a little.
    async fn end(mut self) {
        self.stops.clear();
        let all = async { while self.calls.join_next().await.is_some() {} };
        // What doesn't stop in time ends with the program.
        let _ = tokio::time::timeout(ENDING, all).await;
    }
}

/// Standard input, on a thread of its own: nothing waits for it when the program ends.
fn reader() -> Result<mpsc::Receiver<Vec<u8>>, Failure> {
    let (heard, input) = mpsc::channel(4);
    let read = move || {
        let mut stdin = std::io::stdin().lock();
        let mut bytes = vec![0; READ_LEN];
        loop {
            match stdin.read(&mut bytes) {
                Ok(0) => return,
                Ok(len) => {
                    if heard.blocking_send(bytes[..len].to_vec()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!(%error, "standard input can't be read");
                    return;
                }
            }
        }
    };
    std::thread::Builder::new().name("mcp-read".into()).spawn(read).map_err(Failure::setting)?;
    Ok(input)
}

/// Standard output, on a thread of its own; and what tells when all was written that could be.
fn writer() -> Result<(mpsc::Sender<String>, oneshot::Receiver<()>), Failure> {
    let (said, mut lines) = mpsc::channel::<String>(WAITING);
    let (writing, written) = oneshot::channel::<()>();
    let write = move || {
        let mut stdout = std::io::stdout().lock();
        while let Some(mut line) = lines.blocking_recv() {
            line.push('\n');
            if stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).is_err() {
                break;
            }
        }
        // Nobody may wait any more: the program is at its end then, or the client is gone.
        let _ = writing.send(());
    };
    std::thread::Builder::new().name("mcp-write".into()).spawn(write).map_err(Failure::setting)?;
    Ok((said, written))
}

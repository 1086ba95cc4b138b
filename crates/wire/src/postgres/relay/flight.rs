//! Which messages of the client the upstream hasn't answered yet.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use bytes::Bytes;

use super::super::frame::front;
use super::record::{Kind, Outcome};

/// A message that the upstream will answer.
#[derive(Debug)]
pub(super) enum Awaited {
    /// One with a [`super::record::Start`].
    Statement(Statement),
    /// Describe: RowDescription or NoData.
    Describe,
    /// Close: CloseComplete.
    Close,
    /// Sync: ReadyForQuery.
    Sync,
    /// CopyDone or CopyFail, sent before the upstream asked for data.
    CopyEnd,
}

/// A statement in flight.
#[derive(Debug)]
pub(super) struct Statement {
    pub n: u64,
    pub kind: Kind,
    /// Its message's length; what COPY sent comes on top at its end.
    pub bytes: u64,
    /// Whether errors may quote a password.
    pub secret: bool,
    /// Whether an outcome was told.
    pub ended: bool,
    /// The prepared statement that this Parse makes free of passwords.
    pub clears: Option<Bytes>,
}

/// An outcome, and to whom it belongs; nobody in flight if `None`.
#[derive(Debug)]
pub(super) struct Told {
    pub n: Option<u64>,
    pub outcome: Outcome,
    pub bytes: u64,
}

/// The queue, in the order in which the upstream answers.
#[derive(Debug, Default)]
pub(super) struct Flight {
    queue: VecDeque<Awaited>,
    /// The upstream reads over everything up to the next Sync, which the client hasn't sent yet.
    skipping: bool,
    /// COPY FROM STDIN runs, and the client hasn't ended it.
    copy_in: bool,
    /// The statement that runs has asked for data of COPY FROM STDIN.
    copying: bool,
    /// Syncs sent while a COPY FROM STDIN may have been reading: it reads over them, but not when it failed before.
    /// So each of them may give a ReadyForQuery that isn't another's.
    doubtful: u32,
    /// There is doubt, and the client has sent no Sync since that counts for sure. What it sends until then may run or may not.
    unsettled: bool,
    /// The last statement that completed since the last Sync: an error at Sync is its own.
    last: Option<u64>,
}

impl Flight {
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether the client is sending data for COPY FROM STDIN.
    pub fn copy_in(&self) -> bool {
        self.copy_in
    }

    /// Whether the client may send only what belongs to COPY: while it reads, and until it is known what is read over after it.
    pub fn copy_only(&self) -> bool {
        self.copy_in || self.unsettled
    }

    /// The client has sent this. Gives the outcome of what the upstream reads over.
    pub fn push(&mut self, awaited: Awaited) -> Option<Told> {
        match awaited {
            Awaited::Sync if self.copy_in => self.doubt(),
            Awaited::Sync => {
                self.skipping = false;
                self.unsettled = false;
                self.queue.push_back(awaited);
            }
            Awaited::CopyEnd if self.copy_in => self.copy_in = false,
            Awaited::CopyEnd if self.queue.is_empty() || self.skipping => {}
            Awaited::Statement(statement) if self.skipping => return Some(read_over(&statement)),
            Awaited::Describe | Awaited::Close if self.skipping => {}
            Awaited::Statement(_) | Awaited::Describe | Awaited::Close | Awaited::CopyEnd => {
                self.queue.push_back(awaited)
            }
        }
        None
    }

    fn doubt(&mut self) {
        self.doubtful += 1;
        self.unsettled = true;
    }

    /// The upstream answered something that follows what was in doubt, and it answers in order.
    fn settle(&mut self) {
        self.doubtful = 0;
        self.unsettled = false;
    }

    fn pop(&mut self) -> Option<Awaited> {
        let first = self.queue.pop_front();
        // The upstream reads over the end of a COPY that never was.
        while let Some(Awaited::CopyEnd) = self.queue.front() {
            self.queue.pop_front();
        }
        first
    }

    /// ParseComplete, BindComplete. Gives the statement.
    pub fn prepared(&mut self, is: impl Fn(Kind) -> bool) -> Option<Statement> {
        match self.queue.front() {
            Some(Awaited::Statement(statement)) if is(statement.kind) => {
                self.settle();
                match self.pop() {
                    Some(Awaited::Statement(statement)) => Some(statement),
                    Some(Awaited::Describe | Awaited::Close | Awaited::Sync | Awaited::CopyEnd) | None => None,
                }
            }
            Some(_) | None => None,
        }
    }

    /// RowDescription, NoData.
    pub fn described(&mut self) {
        if let Some(Awaited::Describe) = self.queue.front() {
            self.pop();
        }
    }

    /// CloseComplete.
    pub fn closed(&mut self) {
        if let Some(Awaited::Close) = self.queue.front() {
            self.pop();
        }
    }

    /// CopyInResponse. Syncs that the client sent after the COPY and before its end are read over, unless the COPY fails before it reads.
    /// Breaks when a statement follows such a Sync: it may run or may not, and nothing would tell.
    pub fn copy_in_begins(&mut self) -> ControlFlow<()> {
        if !self.bring_running() {
            return ControlFlow::Continue(());
        }
        self.settle();
        self.copying = true;
        while let Some(Awaited::Sync) = self.queue.get(1) {
            self.queue.remove(1);
            self.doubt();
        }
        match self.queue.get(1) {
            Some(Awaited::CopyEnd) => {
                self.queue.remove(1);
                // What the client sent after it is already in the queue.
                self.unsettled &= !self.queue.iter().any(|awaited| matches!(awaited, Awaited::Sync));
                let next_sync = self.queue.iter().position(|awaited| matches!(awaited, Awaited::Sync));
                let between = next_sync.unwrap_or(self.queue.len()) > 1;
                if self.doubtful > 0 && between { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Some(_) if self.doubtful > 0 => ControlFlow::Break(()),
            Some(_) | None => {
                self.copy_in = true;
                ControlFlow::Continue(())
            }
        }
    }

    /// Brings the statement that runs to the front, if there is one before the next Sync.
    fn bring_running(&mut self) -> bool {
        let at = self.queue.iter().position(|awaited| match awaited {
            Awaited::Statement(statement) => statement.kind.runs(),
            Awaited::Sync => true,
            Awaited::Describe | Awaited::Close | Awaited::CopyEnd => false,
        });
        match at {
            Some(at) if matches!(self.queue.get(at), Some(Awaited::Statement(_))) => {
                self.queue.drain(..at);
                true
            }
            Some(_) | None => false,
        }
    }

    /// CommandComplete, EmptyQueryResponse, PortalSuspended.
    pub fn completed(&mut self, outcome: Outcome) -> Told {
        self.copy_in = false;
        self.copying = false;
        if !self.bring_running() {
            return Told { n: None, outcome, bytes: 0 };
        }
        self.settle();
        self.front_ended(outcome)
    }

    /// Tells the outcome of the statement at the front, and pops it if this is its only one.
    fn front_ended(&mut self, outcome: Outcome) -> Told {
        let Some(Awaited::Statement(statement)) = self.queue.front_mut() else {
            return Told { n: None, outcome, bytes: 0 };
        };
        statement.ended = true;
        let told = Told { n: Some(statement.n), outcome, bytes: std::mem::take(&mut statement.bytes) };
        if statement.kind.runs() {
            self.last = told.n;
        }
        match statement.kind {
            // ReadyForQuery ends them.
            Kind::Simple | Kind::FunctionCall { .. } => {}
            Kind::Parse | Kind::Bind | Kind::Execute { .. } => drop(self.pop()),
        }
        told
    }

    /// ErrorResponse. `outcome` gets the statement that it is about, if it is about one in flight. Gives the outcomes of what failed and of what is read over.
    pub fn failed(&mut self, outcome: impl FnOnce(Option<&Statement>) -> Outcome, out: &mut Vec<Told>) {
        self.copy_in = false;
        if !std::mem::take(&mut self.copying) {
            self.settle();
        }
        let simple = match self.queue.front() {
            None => return out.push(Told { n: None, outcome: outcome(None), bytes: 0 }),
            Some(Awaited::Sync) => return out.push(Told { n: self.last, outcome: outcome(None), bytes: 0 }),
            Some(Awaited::Statement(statement)) => {
                let simple = matches!(statement.kind, Kind::Simple | Kind::FunctionCall { .. });
                let outcome = outcome(Some(statement));
                out.push(self.front_ended(outcome));
                simple
            }
            Some(Awaited::Describe | Awaited::Close | Awaited::CopyEnd) => {
                self.pop();
                out.push(Told { n: None, outcome: outcome(None), bytes: 0 });
                false
            }
        };
        if simple {
            return;
        }
        self.skipping = true;
        while let Some(awaited) = self.queue.pop_front() {
            match awaited {
                Awaited::Sync => {
                    self.queue.push_front(awaited);
                    self.skipping = false;
                    break;
                }
                Awaited::Statement(statement) => out.push(read_over(&statement)),
                Awaited::Describe | Awaited::Close | Awaited::CopyEnd => {}
            }
        }
    }

    /// ReadyForQuery. Gives the outcome of a statement that the upstream never told about.
    pub fn ready(&mut self) -> Option<Told> {
        self.copy_in = false;
        self.skipping = false;
        self.last = None;
        let explained = match self.queue.front() {
            Some(Awaited::Sync) => true,
            Some(Awaited::Statement(statement)) => statement.ended || self.doubtful == 0,
            Some(Awaited::Describe | Awaited::Close | Awaited::CopyEnd) | None => false,
        };
        if !explained {
            self.doubtful = self.doubtful.saturating_sub(1);
            self.unsettled = false;
            return None;
        }
        match self.queue.front() {
            Some(Awaited::Statement(statement)) => match statement.kind {
                Kind::Simple | Kind::FunctionCall { .. } => {
                    let told = Told { n: Some(statement.n), outcome: Outcome::Unknown, bytes: statement.bytes };
                    let silent = !statement.ended;
                    self.pop();
                    silent.then_some(told)
                }
                // The upstream breaks its protocol; what it answers later finds its statement by its kind.
                Kind::Parse | Kind::Bind | Kind::Execute { .. } => None,
            },
            Some(Awaited::Describe | Awaited::Close | Awaited::Sync | Awaited::CopyEnd) | None => {
                self.pop();
                None
            }
        }
    }

    /// The session ends: what is in flight has no known outcome.
    pub fn abandon(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        for awaited in self.queue.drain(..) {
            match awaited {
                Awaited::Statement(statement) if !statement.ended => {
                    told.push(Told { n: Some(statement.n), outcome: Outcome::Unknown, bytes: statement.bytes });
                }
                Awaited::Statement(_) | Awaited::Describe | Awaited::Close | Awaited::Sync | Awaited::CopyEnd => {}
            }
        }
        told
    }
}

fn read_over(statement: &Statement) -> Told {
    Told { n: Some(statement.n), outcome: Outcome::Skipped, bytes: statement.bytes }
}

/// Whether a client's message may come while COPY FROM STDIN reads.
pub(super) fn belongs_to_copy(tag: u8) -> bool {
    matches!(
        tag,
        front::COPY_DATA | front::COPY_DONE | front::COPY_FAIL | front::FLUSH | front::SYNC | front::TERMINATE
    )
}

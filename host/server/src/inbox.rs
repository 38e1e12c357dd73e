//! The bounded inbox of the driver, and the cheap handle that fills it.

use pointsman_coordinator::{Refusal, Reply, State};
use pointsman_model::Digest;
use pointsman_model::command::Command;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use tokio::sync::oneshot;

/// Most messages that wait for the driver. A caller beyond that is told to come again.
pub const INBOX_MAX: usize = 4096;

/// Code that a command brings along, stored with the activation in the same transaction.
pub type Codes = Vec<(Digest, Arc<[u8]>)>;

/// A look at the state between two steps. Runs on the driver's thread: keep it short.
pub type Look = Box<dyn FnOnce(&State) + Send>;

pub(crate) enum Message {
    Command {
        command: Box<Command>,
        codes: Codes,
        reply: Option<oneshot::Sender<Result<Reply, Rejected>>>,
    },
    Look(Look),
    /// Tell the runner again what is wanted.
    Refresh,
    Stop,
}

/// Why a command was not carried out. Nothing has changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Rejected {
    #[error("{}", .0.message)]
    Refused(Refusal),
    #[error("the host is busy")]
    Busy,
    #[error("the journal has no space: {reason}")]
    Full { reason: String },
    #[error("the journal cannot be written: {reason}")]
    ReadOnly { reason: String },
    #[error("the host is shutting down")]
    Stopping,
}

/// Hands commands to the driver.
#[derive(Clone)]
pub struct Inbox {
    pub(crate) sender: SyncSender<Message>,
}

impl Inbox {
    /// Waits until the command and what follows from it are in the journal.
    pub async fn send(&self, command: Command) -> Result<Reply, Rejected> {
        self.send_with(command, Vec::new()).await
    }

    /// The same for a command that brings code along.
    pub async fn send_with(&self, command: Command, codes: Codes) -> Result<Reply, Rejected> {
        let (reply, answer) = oneshot::channel();
        self.put(Message::Command {
            command: Box::new(command),
            codes,
            reply: Some(reply),
        })?;
        answer.await.unwrap_or(Err(Rejected::Stopping))
    }

    /// The same from a plain thread.
    pub fn send_blocking(&self, command: Command, codes: Codes) -> Result<Reply, Rejected> {
        let (reply, answer) = oneshot::channel();
        self.put(Message::Command {
            command: Box::new(command),
            codes,
            reply: Some(reply),
        })?;
        answer.blocking_recv().unwrap_or(Err(Rejected::Stopping))
    }

    /// Waits for room and not for an answer: for reports of the runner, which may block and tells an outcome again.
    pub fn report(&self, command: Command) {
        // The only way to fail is a driver that has stopped; the supervisor keeps the result for the next start.
        let _ = self.sender.send(Message::Command {
            command: Box::new(command),
            codes: Vec::new(),
            reply: None,
        });
    }

    /// Reads from the state between two steps.
    pub async fn look<T: Send + 'static>(&self, look: impl FnOnce(&State) -> T + Send + 'static) -> Result<T, Rejected> {
        let (reply, answer) = oneshot::channel();
        self.put(Message::Look(Box::new(move |state| {
            let _ = reply.send(look(state));
        })))?;
        answer.await.map_err(|_| Rejected::Stopping)
    }

    /// The same from a plain thread.
    pub fn look_blocking<T: Send + 'static>(&self, look: impl FnOnce(&State) -> T + Send + 'static) -> Result<T, Rejected> {
        let (reply, answer) = oneshot::channel();
        self.put(Message::Look(Box::new(move |state| {
            let _ = reply.send(look(state));
        })))?;
        answer.blocking_recv().map_err(|_| Rejected::Stopping)
    }

    pub(crate) fn refresh(&self) {
        let _ = self.sender.send(Message::Refresh);
    }

    pub(crate) fn stop(&self) {
        let _ = self.sender.send(Message::Stop);
    }

    fn put(&self, message: Message) -> Result<(), Rejected> {
        self.sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => Rejected::Busy,
            TrySendError::Disconnected(_) => Rejected::Stopping,
        })
    }
}

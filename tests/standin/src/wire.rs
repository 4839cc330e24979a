//! One connection, plain or TLS: buffered reading, and writing that notices a client that left.

use bytes::BytesMut;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Wire for T {}

/// The client closed or reset the connection.
#[derive(Debug)]
pub struct Gone;

pub struct Conn<S> {
    io: S,
    /// Bytes received and not yet used (a pipelined request may wait here).
    pub unread: BytesMut,
}

/// How much of pipelined requests is read ahead while an answer is under way.
const READ_AHEAD: usize = 64 * 1024;

impl<S: Wire> Conn<S> {
    pub fn new(io: S) -> Self {
        Self { io, unread: BytesMut::with_capacity(8 * 1024) }
    }

    /// Reads some more bytes behind those unread.
    pub async fn fill(&mut self) -> Result<(), Gone> {
        if self.unread.capacity() - self.unread.len() < 2048 {
            self.unread.reserve(8 * 1024);
        }
        match self.io.read_buf(&mut self.unread).await {
            Ok(0) | Err(_) => Err(Gone),
            Ok(_) => Ok(()),
        }
    }

    /// Sends these bytes now: each call is a write of its own on the socket.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.io.write_all(bytes).await.map_err(|_| Gone)?;
        self.io.flush().await.map_err(|_| Gone)
    }

    /// Waits for `event`, or until the client goes away. A half-closed connection counts as gone,
    /// as proxies take it.
    pub async fn wait<F: Future>(&mut self, event: F) -> Result<F::Output, Gone> {
        tokio::pin!(event);
        loop {
            let room = self.unread.len() < READ_AHEAD;
            tokio::select! {
                biased;
                output = &mut event => return Ok(output),
                read = self.io.read_buf(&mut self.unread), if room => match read {
                    Ok(0) | Err(_) => return Err(Gone),
                    Ok(_) => {}
                },
            }
        }
    }

    pub async fn pause(&mut self, millis: u64) -> Result<(), Gone> {
        if millis == 0 {
            return Ok(());
        }
        self.wait(tokio::time::sleep(Duration::from_millis(millis))).await
    }

    pub async fn close(mut self) {
        // A peer that never answers the TLS goodbye must not keep the task.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.io.shutdown()).await;
    }
}

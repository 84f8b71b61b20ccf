//! What goes over the stream: frames of JSON, each with its length before it.

use std::collections::BTreeSet;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use runwrit_model::failure::Failure;
use runwrit_model::id::Digest;
use runwrit_model::limits;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sandbox::Bounds;

/// The first frame to the cell: what the guest may use. Its code comes along, as an open file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The interfaces that exist for it.
    pub granted: BTreeSet<String>,
    /// What it may use of the machine.
    pub bounds: Bounds,
}

/// What the cell says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Said {
    /// It can take code in: such as depends on this, beside the component.
    Vacant(Digest),
    /// The walls stand and the guest runs.
    Ready,
    /// The guest calls: interface, function, arguments.
    Call(String, String, Vec<Value>),
    /// The guest's runtime asks for the time of the run.
    Now,
    /// The guest's runtime asks for so many bytes of the run's randomness.
    Random(u32),
    /// The guest printed a line.
    Log(String),
    /// The guest ended.
    Ended(Ended),
}

/// How a guest ended in its cell.
#[derive(Debug, Serialize, Deserialize)]
pub enum Ended {
    /// It returned.
    Returned,
    /// It returned an error.
    Failed(Failure),
    /// It trapped or passed a limit.
    Trapped(String),
    /// It computed for too long.
    Starved(String),
    /// The cell could not be set up.
    NotSet(String),
}

fn size(bytes: &[u8]) -> io::Result<[u8; 4]> {
    let length = u32::try_from(bytes.len()).ok().filter(|it| *it <= limits::CELL_FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("the frame is too large"))?;
    Ok(length.to_le_bytes())
}

fn checked(length: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(length);
    if length > limits::CELL_FRAME_BYTES_MAX {
        return Err(io::Error::other(format!("a frame of {length} bytes is announced")));
    }
    Ok(length as usize)
}

fn framed(frame: &impl Serialize) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(frame)?;
    let mut whole = size(&bytes)?.to_vec();
    whole.extend(bytes);
    Ok(whole)
}

/// Sends the first frame to the cell, and an open file with it. They fit the buffer of any socket.
pub fn hand(stream: impl AsFd, start: &Start, file: impl AsFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let files = [file.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&files));
    let whole = framed(start)?;
    let sent = sendmsg(stream, &[IoSlice::new(&whole)], &mut ancillary, SendFlags::NOSIGNAL)?;
    match sent == whole.len() {
        true => Ok(()),
        false => Err(io::Error::other("the first frame does not fit the buffer of the socket")),
    }
}

/// Receives the first frame in the cell, and the open file.
pub fn take_in(stream: &mut UnixStream) -> io::Result<(Start, OwnedFd)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut length = [0; 4];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL;
    recvmsg(&*stream, &mut [IoSliceMut::new(&mut length)], &mut ancillary, flags)?;
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    let file = file.ok_or_else(|| io::Error::other("no file came with the first frame"))?;
    Ok((body(stream, length)?, file))
}

/// Sends one frame from the cell.
pub fn send(stream: &mut impl Write, frame: &impl Serialize) -> io::Result<()> {
    stream.write_all(&framed(frame)?)
}

/// Receives one frame in the cell.
pub fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    body(stream, length)
}

fn body<T: DeserializeOwned>(stream: &mut impl Read, length: [u8; 4]) -> io::Result<T> {
    let mut bytes = vec![0; checked(length)?];
    stream.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Sends one frame to the cell.
pub async fn tell(
    stream: &mut (impl AsyncWriteExt + Unpin),
    frame: &impl Serialize,
) -> io::Result<()> {
    stream.write_all(&framed(frame)?).await
}

/// Receives one frame of the cell. Memory is taken as bytes come, not as they are announced.
pub async fn hear(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Said> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = checked(length)?;
    let mut bytes = Vec::new();
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_out_as_it_went_in() {
        let mut stream = Vec::new();
        send(&mut stream, &Said::Random(7)).unwrap();
        send(&mut stream, &Said::Ready).unwrap();
        let mut stream = stream.as_slice();
        assert!(matches!(receive::<Said>(&mut stream), Ok(Said::Random(7))));
        assert!(matches!(receive::<Said>(&mut stream), Ok(Said::Ready)));
        assert!(receive::<Said>(&mut stream).is_err(), "the stream has ended");
    }

    #[test]
    fn the_first_frame_brings_an_open_file_along() {
        use std::io::Seek;
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let granted = BTreeSet::from(["run/steps".to_owned()]);
        let start = Start { granted: granted.clone(), bounds: Bounds::default() };
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"code").unwrap();
        file.rewind().unwrap();
        hand(&ours, &start, file).unwrap();
        send(&mut &ours, &Said::Ready).unwrap();
        let (start, file) = take_in(&mut theirs).unwrap();
        let mut code = String::new();
        std::fs::File::from(file).read_to_string(&mut code).unwrap();
        assert_eq!((start.granted, code.as_str()), (granted, "code"));
        assert!(matches!(receive::<Said>(&mut theirs), Ok(Said::Ready)));
    }

    #[test]
    fn a_first_frame_without_a_file_is_refused() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        send(&mut ours, &Said::Ready).unwrap();
        let error = take_in(&mut theirs).unwrap_err();
        assert_eq!(error.to_string(), "no file came with the first frame");
        drop(ours);
        assert!(take_in(&mut theirs).is_err(), "the stream has ended");
    }

    #[tokio::test]
    async fn a_frame_that_is_announced_too_large_is_refused_unread() {
        let mut stream: &[u8] = &u32::MAX.to_le_bytes();
        let error = hear(&mut stream).await.unwrap_err();
        assert!(error.to_string().contains("4294967295"), "{error}");
    }

    #[tokio::test]
    async fn half_a_frame_is_the_end_of_the_cell() {
        let mut stream: &[u8] = &[9, 0, 0, 0, b'"'];
        let error = hear(&mut stream).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

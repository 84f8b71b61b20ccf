//! What goes over the stream: frames of JSON, each with its length before it.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};

use runwrit_model::failure::Failure;
use runwrit_model::limits;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::sandbox::Bounds;

/// The first frame: what the guest may use.
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

/// Sends one frame from the cell.
pub fn send(stream: &mut impl Write, frame: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(frame)?;
    let mut whole = size(&bytes)?.to_vec();
    whole.extend(bytes);
    stream.write_all(&whole)
}

/// Receives one frame in the cell.
pub fn receive<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut bytes = vec![0; checked(length)?];
    stream.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Sends one frame to the cell.
pub async fn tell(
    stream: &mut (impl AsyncWriteExt + Unpin),
    frame: &impl Serialize,
) -> io::Result<()> {
    let bytes = serde_json::to_vec(frame)?;
    let mut whole = size(&bytes)?.to_vec();
    whole.extend(bytes);
    stream.write_all(&whole).await
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

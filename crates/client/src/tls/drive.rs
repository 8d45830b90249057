//! Driving rustls' unbuffered connection from state to state.

use rustls::{
    Error,
    client::{ClientConnectionData, UnbufferedClientConnection},
    unbuffered::{ConnectionState, EncodeError, EncodeTlsData, WriteTraffic},
};

/// How far rustls came with its input.
pub(super) struct Progress {
    /// So many bytes of it are done with.
    pub(super) used: usize,
    /// They ended with the peer's `close_notify`.
    pub(super) closed: bool,
}

/// Lets rustls work on `input` until it wants more, collecting plaintext and answers.
pub(super) fn process(
    connection: &mut UnbufferedClientConnection,
    input: &mut [u8],
    plain: &mut Vec<u8>,
    outgoing: &mut Vec<u8>,
) -> Result<Progress, Error> {
    let mut used = 0;
    loop {
        let status = connection.process_tls_records(&mut input[used..]);
        let discard = status.discard;
        let next = match status.state? {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    plain.extend_from_slice(record?.payload);
                }
                Next::Drained
            }
            ConnectionState::EncodeTlsData(mut data) => {
                append(&mut data, outgoing);
                Next::Again
            }
            ConnectionState::TransmitTlsData(transmit) => {
                transmit.done();
                Next::Again
            }
            ConnectionState::PeerClosed => Next::Closed,
            // waits for input, is ready to write, is closed, or (never here) has early data
            _ => Next::Blocked,
        };
        used += discard;
        let closed = match next {
            Next::Again => continue,
            // the usual end of a record; asking once more would only cost time
            Next::Drained if used < input.len() || connection.wants_write() => continue,
            Next::Drained | Next::Blocked => false,
            Next::Closed => true,
        };
        return Ok(Progress { used, closed });
    }
}

/// What to do after a state of rustls.
enum Next {
    Again,
    Drained,
    Blocked,
    Closed,
}

/// Brings rustls to the state in which it encrypts. What it has to send before that goes to `queued`.
///
/// `held` is what rustls has seen last: it relies on finding those bytes again.
pub(super) fn write<T>(
    connection: &mut UnbufferedClientConnection,
    held: &mut [u8],
    queued: &mut Vec<u8>,
    act: impl FnOnce(&mut WriteTraffic<'_, ClientConnectionData>, &mut Vec<u8>) -> T,
) -> Result<T, Error> {
    loop {
        match connection.process_tls_records(held).state? {
            ConnectionState::WriteTraffic(mut traffic) => return Ok(act(&mut traffic, queued)),
            ConnectionState::EncodeTlsData(mut data) => append(&mut data, queued),
            ConnectionState::TransmitTlsData(transmit) => transmit.done(),
            ConnectionState::PeerClosed => {}
            state => return Err(Error::General(format!("cannot write in state {state:?}"))),
        }
    }
}

/// Takes out what rustls wants to send after an error, which is an alert.
pub(super) fn take_alert(connection: &mut UnbufferedClientConnection, outgoing: &mut Vec<u8>) {
    // With something to send, rustls does not look at its input.
    while connection.wants_write()
        && let Ok(ConnectionState::EncodeTlsData(mut data)) =
            connection.process_tls_records(&mut []).state
    {
        append(&mut data, outgoing);
    }
}

/// Appends an encoded message of rustls to `out`.
fn append(data: &mut EncodeTlsData<'_, ClientConnectionData>, out: &mut Vec<u8>) {
    let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) else {
        return;
    };
    let start = out.len();
    out.resize(start + size.required_size, 0);
    let written = data.encode(&mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

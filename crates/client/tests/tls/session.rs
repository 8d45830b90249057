//! The session without I/O.

use std::{
    io::{ErrorKind, Read},
    sync::Arc,
};

use hyco_client::{Decrypted, TlsSession};
use hyco_websocket::Direct;
use rustls::{AlertDescription, Error, ServerConnection};

use crate::peer::{KINDS, Noise, Pair, feed, localhost, nothing, sealed, take};

#[test]
fn records_are_joined_behind_plaintext_that_is_there() {
    for kind in KINDS {
        let (mut session, mut server) = Pair::new(kind).joined();
        let mut buf = b"before ".to_vec();
        for part in [b"one, ".as_slice(), b"two, ", b"three"] {
            buf.extend(sealed(&mut server, part));
        }
        let whole = buf.len();
        let last = sealed(&mut server, b", four");
        buf.extend(&last[..last.len() - 1]);
        let end = buf.len();
        buf.extend([0xaa; 64]);

        let mut outgoing = Vec::new();
        let decrypted = session.decrypt(&mut buf, 7, end, &mut outgoing).unwrap();
        assert_eq!(&buf[..decrypted.plain], b"before one, two, three");
        assert_eq!((decrypted.cipher, decrypted.end), (whole, end));
        assert_eq!(buf[decrypted.cipher..end], last[..last.len() - 1]);
        assert!(buf[end..].iter().all(|&byte| byte == 0xaa));
        assert!(outgoing.is_empty());

        buf.drain(..decrypted.cipher);
        let rest = last.len();
        buf[rest - 1] = last[rest - 1];
        let decrypted = session.decrypt(&mut buf, 0, rest, &mut outgoing).unwrap();
        assert_eq!(&buf[..decrypted.plain], b", four");
        assert_eq!(decrypted.cipher, decrypted.end);
    }
}

#[test]
fn records_go_into_a_large_message_only_as_far_as_that_goes() {
    for kind in KINDS {
        let (mut session, mut server) = Pair::new(kind).joined();
        let mut buf = Vec::new();
        for part in [[1; 60].as_slice(), &[2; 60], &[3; 5]] {
            buf.extend(sealed(&mut server, part));
        }
        let end = buf.len();
        let mut message = vec![0; 3];
        let direct = Some(Direct {
            buffer: &mut message,
            // Room for one record with its overhead, and not for two.
            missing: 140,
        });
        let decrypted = session
            .decrypt_beside(&mut buf, 0, end, &mut Vec::new(), direct)
            .unwrap();
        assert_eq!(message, [[0; 3].as_slice(), &[1; 60]].concat());
        assert_eq!(
            buf[..decrypted.plain],
            [[2; 60].as_slice(), &[3; 5]].concat()
        );
        assert_eq!((decrypted.cipher, decrypted.end), (end, end));
    }
}

#[test]
fn a_buffer_without_a_whole_record_is_left_as_it_is() {
    let (mut session, mut server) = Pair::new(KINDS[0]).joined();
    let record = sealed(&mut server, b"data");
    let mut outgoing = Vec::new();
    for length in 0..record.len() {
        let mut buf = record[..length].to_vec();
        let decrypted = session.decrypt(&mut buf, 0, length, &mut outgoing).unwrap();
        let untouched = Decrypted {
            plain: 0,
            cipher: 0,
            end: length,
            closed: false,
        };
        assert_eq!(decrypted, untouched);
        assert_eq!(buf, record[..length]);
    }
}

#[test]
fn any_sizes_and_chunks_arrive_whole_both_ways() {
    for kind in KINDS {
        let (mut session, mut server) = Pair::new(kind).joined();
        let mut noise = Noise(0x5eed);
        for round in 0..60 {
            let size = [1, 100, 16_384, 16_385, 70_000][round % 5];
            let length = noise.below(size) + 1;
            let sent = noise.bytes(length);
            let wire = sealed(&mut server, &sent);

            let mut received = Vec::new();
            let mut buf = Vec::new();
            let mut outgoing = Vec::new();
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                let chunk = if round % 6 == 0 {
                    1
                } else {
                    noise.below(20_000) + 1
                };
                let (now, later) = rest.split_at(chunk.min(rest.len()));
                rest = later;
                buf.extend_from_slice(now);
                let end = buf.len();
                let decrypted = session.decrypt(&mut buf, 0, end, &mut outgoing).unwrap();
                received.extend_from_slice(&buf[..decrypted.plain]);
                buf.drain(..decrypted.cipher);
            }
            assert!(received == sent);
            assert!(buf.is_empty() && outgoing.is_empty());

            let mut out = b"kept".to_vec();
            session.encrypt(&received, &mut out).unwrap();
            assert_eq!(&out[..4], b"kept");
            assert!(read(&mut server, &out[4..]) == sent);
        }
    }
}

#[test]
fn encrypting_into_given_memory_says_how_much_was_used() {
    for kind in KINDS {
        let (mut session, mut server) = Pair::new(kind).joined();
        for length in [0, 1, 16_384, 16_385, 100_000] {
            let plain = Noise(7).bytes(length);
            let mut out = vec![0; session.sealed_length(length)];
            assert!(session.encrypt_into(&plain, &mut out[..length]).is_err() || length == 0);
            let used = session.encrypt_into(&plain, &mut out).unwrap();
            assert!(out.len() - used <= 32 + 8 * length.div_ceil(16_384));
            assert!(read(&mut server, &out[..used]) == plain);
        }
    }
}

#[test]
fn a_key_update_of_the_peer_is_followed_and_answered() {
    let (mut session, mut server) = Pair::new(KINDS[0]).joined();
    let mut outgoing = Vec::new();
    for _ in 0..5 {
        let mut buf = sealed(&mut server, b"old keys, ");
        server.refresh_traffic_keys().unwrap();
        buf.extend(sealed(&mut server, b"new keys"));
        let end = buf.len();
        let decrypted = session.decrypt(&mut buf, 0, end, &mut outgoing).unwrap();
        assert_eq!(&buf[..decrypted.plain], b"old keys, new keys");

        // The answer goes out at the latest with what is written next, and is part of its length.
        let mut out = vec![0; session.sealed_length(5)];
        let used = session.encrypt_into(b"reply", &mut out).unwrap();
        out.truncate(used);
        assert_eq!(
            read(&mut server, &[outgoing.as_slice(), &out].concat()),
            b"reply"
        );
        outgoing.clear();
        assert_eq!(round_trip(&mut session, &mut server), b"still there");
    }
}

#[test]
fn a_handshake_message_over_many_records_does_not_hinder_writing() {
    let mut pair = Pair::new(KINDS[0]);
    let config = Arc::get_mut(&mut pair.server).unwrap();
    config.max_fragment_size = Some(40);
    // With these the session tickets span records, and the server flight many more.
    let mut session = TlsSession::new(Arc::clone(&pair.client), localhost()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(&pair.server)).unwrap();
    let mut outgoing = Vec::new();
    session.start(&mut outgoing).unwrap();

    let mut wire = Vec::new();
    let mut buf = Vec::new();
    let mut written = 0;
    loop {
        feed(&mut server, &outgoing);
        outgoing.clear();
        wire.extend(take(&mut server));
        if wire.is_empty() {
            break;
        }
        buf.push(wire.remove(0));
        let end = buf.len();
        let decrypted = session.decrypt(&mut buf, 0, end, &mut outgoing).unwrap();
        buf.drain(..decrypted.cipher);
        if !session.is_handshaking() && buf.is_empty() {
            session.encrypt(b"x", &mut outgoing).unwrap();
            written += 1;
        }
    }
    assert!(written > 5, "the tickets span several records");
    let mut received = vec![0; written];
    server.reader().read_exact(&mut received).unwrap();
    assert_eq!(round_trip(&mut session, &mut server), b"still there");
}

#[test]
fn close_notify_ends_reading_and_hides_what_follows() {
    for kind in KINDS {
        let (mut session, mut server) = Pair::new(kind).joined();
        let mut buf = sealed(&mut server, b"last words");
        server.send_close_notify();
        buf.extend(take(&mut server));
        buf.extend(b"garbage that must be ignored");
        let end = buf.len();
        let mut outgoing = Vec::new();
        let decrypted = session.decrypt(&mut buf, 0, end, &mut outgoing).unwrap();
        assert_eq!(&buf[..decrypted.plain], b"last words");
        assert_eq!((decrypted.cipher, decrypted.closed), (end, true));
        assert!(session.is_closed());

        let again = session.decrypt(&mut buf, 0, end, &mut outgoing).unwrap();
        assert_eq!(
            again,
            Decrypted {
                closed: true,
                ..nothing(end)
            }
        );

        // Our own direction is still open.
        let mut out = Vec::new();
        session.encrypt(b"good bye", &mut out).unwrap();
        session.close_notify(&mut out);
        let length = out.len();
        session.close_notify(&mut out);
        assert_eq!(out.len(), length);
        assert_eq!(read(&mut server, &out), b"good bye");
        assert!(server.process_new_packets().unwrap().peer_has_closed());
        assert!(session.encrypt(b"more", &mut out).is_err());
        assert_eq!(out.len(), length);
    }
}

#[test]
fn a_session_that_said_close_notify_still_reads() {
    for kind in KINDS {
        let (mut session, mut server) = Pair::new(kind).joined();
        let mut out = Vec::new();
        session.close_notify(&mut out);
        feed(&mut server, &out);
        let mut buf = sealed(&mut server, b"late");
        server.send_close_notify();
        buf.extend(take(&mut server));
        let end = buf.len();
        let decrypted = session.decrypt(&mut buf, 0, end, &mut out).unwrap();
        assert_eq!(&buf[..decrypted.plain], b"late");
        assert!(decrypted.closed);
    }
}

#[test]
fn a_corrupted_record_fails_for_good_and_alerts_the_peer() {
    for kind in KINDS {
        let (mut session, mut server) = Pair::new(kind).joined();
        let mut buf = sealed(&mut server, b"data");
        let end = buf.len();
        buf[end - 1] ^= 1;
        let mut outgoing = Vec::new();
        let error = session
            .decrypt(&mut buf, 0, end, &mut outgoing)
            .unwrap_err();
        assert_eq!(error, Error::DecryptError);
        assert_eq!(
            alert(&mut server, &outgoing),
            AlertDescription::BadRecordMac
        );

        let length = outgoing.len();
        assert_eq!(
            session.decrypt(&mut [], 0, 0, &mut outgoing),
            Err(error.clone())
        );
        assert_eq!(session.encrypt(b"x", &mut outgoing), Err(error));
        session.close_notify(&mut outgoing);
        assert_eq!(outgoing.len(), length);
    }
}

#[test]
fn plaintext_before_a_corrupted_record_is_not_lost() {
    let (mut session, mut server) = Pair::new(KINDS[0]).joined();
    let mut buf = sealed(&mut server, b"good");
    buf.extend(sealed(&mut server, b"bad"));
    let end = buf.len();
    buf[end - 1] ^= 1;
    let mut outgoing = Vec::new();
    let decrypted = session.decrypt(&mut buf, 0, end, &mut outgoing).unwrap();
    assert_eq!(&buf[..decrypted.plain], b"good");
    assert_eq!(decrypted.cipher, end);
    assert_eq!(session.failure(), Some(&Error::DecryptError));
    assert_eq!(
        alert(&mut server, &outgoing),
        AlertDescription::BadRecordMac
    );
    let error = session.decrypt(&mut buf, 0, 0, &mut outgoing).unwrap_err();
    assert_eq!(error, Error::DecryptError);
}

#[test]
fn what_is_no_tls_is_refused_from_its_first_bytes() {
    for hello in [
        b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
        b"220 mail",
        b"\x16\x03\x03\xff\xff",
    ] {
        let mut session = TlsSession::new(Pair::new(KINDS[0]).client, localhost()).unwrap();
        let mut outgoing = Vec::new();
        session.start(&mut outgoing).unwrap();
        let mut buf = hello.to_vec();
        let outcome = session.decrypt(&mut buf, 0, hello.len(), &mut outgoing);
        assert!(
            matches!(outcome, Err(Error::InvalidMessage(_))),
            "{outcome:?}"
        );
    }
}

#[test]
fn an_endless_handshake_message_is_refused() {
    let mut session = TlsSession::new(Pair::new(KINDS[0]).client, localhost()).unwrap();
    let mut outgoing = Vec::new();
    session.start(&mut outgoing).unwrap();
    // A ServerHello that claims 65 535 bytes, one byte in each record.
    let mut records = vec![22, 3, 3, 0, 4, 2, 0, 255, 255];
    let error = loop {
        let end = records.len();
        match session.decrypt(&mut records, 0, end, &mut outgoing) {
            Ok(decrypted) => assert_eq!(decrypted, nothing(end)),
            Err(error) => break error,
        }
        records = vec![22, 3, 3, 0, 1, 0];
    };
    assert!(matches!(error, Error::InvalidMessage(_)), "{error:?}");
}

#[test]
fn nothing_is_written_before_the_handshake_is_complete() {
    let mut session = TlsSession::new(Pair::new(KINDS[0]).client, localhost()).unwrap();
    let mut out = Vec::new();
    assert_eq!(
        session.encrypt(b"early", &mut out),
        Err(Error::HandshakeNotComplete)
    );
    session.close_notify(&mut out);
    assert!(out.is_empty());
    assert!(session.is_handshaking() && session.failure().is_none());
}

#[test]
fn debug_output_tells_the_state_and_no_secrets() {
    let (session, _server) = Pair::new(KINDS[0]).joined();
    let shown = format!("{session:?}");
    assert!(
        shown.starts_with("TlsSession { version: Some(TLSv1_3), suite: Some(TLS13_"),
        "{shown}"
    );
    assert!(shown.len() < 200, "{shown}");
}

/// Feeds the server and returns the plaintext that comes of it.
fn read(server: &mut ServerConnection, mut wire: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    while !wire.is_empty() {
        server.read_tls(&mut wire).unwrap();
        server.process_new_packets().unwrap();
        if let Err(error) = server.reader().read_to_end(&mut plain) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    }
    plain
}

/// The fatal alert the server gets.
fn alert(server: &mut ServerConnection, mut wire: &[u8]) -> AlertDescription {
    server.read_tls(&mut wire).unwrap();
    match server.process_new_packets().unwrap_err() {
        Error::AlertReceived(description) => description,
        other => panic!("{other}"),
    }
}

/// A message to the session and back.
fn round_trip(session: &mut TlsSession, server: &mut ServerConnection) -> Vec<u8> {
    let mut buf = sealed(server, b"still there");
    let end = buf.len();
    let mut out = Vec::new();
    let decrypted = session.decrypt(&mut buf, 0, end, &mut out).unwrap();
    session.encrypt(&buf[..decrypted.plain], &mut out).unwrap();
    read(server, &out)
}

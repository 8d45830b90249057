//! Ciphers for rustls that leave plaintext where it was decrypted.
//!
//! rustls copies the plaintext of every record into memory that it allocates, and hands out that copy
//! while it borrows the record, so that it has to be copied twice more. These ciphers are those of ring.
//! While [`find`] runs, they note where the application data of a record lies, and give rustls the first
//! byte of it alone. Keys, sequence numbers, alerts and the order of messages stay with rustls.

use std::{cell::Cell, ops::Range, sync::LazyLock};

use rustls::{
    ConnectionTrafficSecrets, ContentType, Error, SupportedCipherSuite, Tls13CipherSuite,
    crypto::{
        CipherSuiteCommon,
        cipher::{
            AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter,
            MessageEncrypter, Tls13AeadAlgorithm, UnsupportedOperationError,
        },
        ring::ALL_CIPHER_SUITES,
    },
};

/// The cipher suite with a cipher of this module, where there is one: those of TLS 1.3 have.
pub(crate) fn suite(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let found = SUITES.iter().find(|own| own.common.suite == suite.suite());
    found.map_or(suite, SupportedCipherSuite::Tls13)
}

/// Runs `work`, in which rustls gets this one record. Returns where its application data lies in the
/// record, if it was a cipher of this module that decrypted some: then rustls tells one byte of it.
pub(super) fn find<T>(
    record: &mut [u8],
    work: impl FnOnce(&mut [u8]) -> T,
) -> (T, Option<Range<usize>>) {
    let base = record.as_ptr().addr();
    let length = record.len();
    NOTE.set(Note::Wanted);
    // Nobody wants one after this, even if `work` panics.
    let clear = Clear;
    let outcome = work(record);
    let note = NOTE.get();
    drop(clear);
    let Note::Taken { address, count } = note else {
        return (outcome, None);
    };
    let start = address
        .checked_sub(base)
        .filter(|start| start + count <= length);
    (outcome, start.map(|start| start..start + count))
}

/// What is known of the application data of the record that this thread decrypts.
#[derive(Clone, Copy)]
enum Note {
    Unwanted,
    Wanted,
    Taken { address: usize, count: usize },
}

thread_local! {
    static NOTE: Cell<Note> = const { Cell::new(Note::Unwanted) };
}

struct Clear;

impl Drop for Clear {
    fn drop(&mut self) {
        NOTE.set(Note::Unwanted);
    }
}

/// A cipher of ring.
struct InPlace(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for InPlace {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Decrypter(self.0.decrypter(key, iv)))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }
}

struct Decrypter(Box<dyn MessageDecrypter>);

impl MessageDecrypter for Decrypter {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let mut message = self.0.decrypt(message, sequence)?;
        let payload = message.payload;
        let wanted = matches!(NOTE.get(), Note::Wanted);
        // rustls counts empty records, of which a peer may not send many: none is made of a full one.
        if wanted && message.typ == ContentType::ApplicationData && !payload.is_empty() {
            NOTE.set(Note::Taken {
                address: payload.as_ptr().addr(),
                count: payload.len(),
            });
            message.payload = &payload[..1];
        }
        Ok(message)
    }
}

static CIPHERS: LazyLock<Vec<(&Tls13CipherSuite, InPlace)>> = LazyLock::new(|| {
    let suites = ALL_CIPHER_SUITES.iter();
    let suites = suites.filter_map(SupportedCipherSuite::tls13);
    suites
        .map(|suite| (suite, InPlace(suite.aead_alg)))
        .collect()
});

static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| {
    let suites = CIPHERS.iter().map(|(suite, cipher)| Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: suite.common.suite,
            hash_provider: suite.common.hash_provider,
            confidentiality_limit: suite.common.confidentiality_limit,
        },
        hkdf_provider: suite.hkdf_provider,
        aead_alg: cipher,
        quic: None,
    });
    suites.collect()
});

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustls::{
        CipherSuite, ProtocolVersion,
        crypto::{
            cipher::{OutboundChunks, OutboundPlainMessage},
            ring::cipher_suite::{TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384},
        },
    };

    use super::*;

    const HEADER: usize = 5;

    fn own() -> &'static Tls13CipherSuite {
        suite(TLS13_AES_256_GCM_SHA384).tls13().unwrap()
    }

    fn key() -> AeadKey {
        AeadKey::from([7; 32])
    }

    fn sealed(typ: ContentType, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ,
            version: ProtocolVersion::TLSv1_3,
            payload: OutboundChunks::Single(payload),
        };
        let mut encrypter = own().aead_alg.encrypter(key(), Iv::new([3; 12]));
        encrypter.encrypt(message, 0).unwrap().encode()
    }

    /// What rustls would be told of the record.
    fn told(record: &mut [u8]) -> (ContentType, Vec<u8>) {
        let mut decrypter = own().aead_alg.decrypter(key(), Iv::new([3; 12]));
        let (_, payload) = record.split_at_mut(HEADER);
        let version = ProtocolVersion::TLSv1_2;
        let message = InboundOpaqueMessage::new(ContentType::ApplicationData, version, payload);
        let message = decrypter.decrypt(message, 0).unwrap();
        (message.typ, message.payload.to_vec())
    }

    #[test]
    fn application_data_lies_where_it_says_and_rustls_is_told_one_byte() {
        let mut record = sealed(ContentType::ApplicationData, b"some data");
        let (told, place) = find(&mut record, told);
        assert_eq!(told, (ContentType::ApplicationData, b"s".to_vec()));
        assert_eq!(&record[place.unwrap()], b"some data");
    }

    #[test]
    fn what_is_no_data_or_empty_is_told_whole() {
        for (typ, payload) in [
            (ContentType::Handshake, b"a ticket".as_slice()),
            (ContentType::Alert, &[1, 0]),
            (ContentType::ApplicationData, &[]),
        ] {
            let mut record = sealed(typ, payload);
            let (told, place) = find(&mut record, told);
            assert_eq!((told, place), ((typ, payload.to_vec()), None));
        }
    }

    #[test]
    fn who_does_not_look_is_told_everything_also_after_a_panic() {
        let mut record = sealed(ContentType::ApplicationData, b"some data");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            find(&mut record, |_| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        let expected = (ContentType::ApplicationData, b"some data".to_vec());
        assert_eq!(told(&mut record), expected);
    }

    #[test]
    fn suites_of_tls_1_3_have_such_ciphers_and_others_stay_as_they_are() {
        for known in ALL_CIPHER_SUITES {
            assert_eq!(suite(*known).suite(), known.suite());
            assert_eq!(suite(*known).version(), known.version());
        }
        let old = suite(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
        assert_eq!(
            old.suite(),
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        );
    }
}

//! The names on the wire, in one place.

/// Prefix of the query parameters that belong to the relay; compared without regard to case.
pub const PREFIX: &str = "sb-hc-";
/// Query parameter: what the request wants (see [`Action`](crate::Action)).
pub const ACTION: &str = "sb-hc-action";
/// Query parameter: the tracking id.
pub const ID: &str = "sb-hc-id";
/// Query parameter: the token, percent-encoded once more.
pub const TOKEN: &str = "sb-hc-token";
/// Query parameter that makes an accept a rejection: the status for the sender.
pub const STATUS_CODE: &str = "sb-hc-statusCode";
/// Query parameter: the reason phrase of a rejection.
pub const STATUS_DESCRIPTION: &str = "sb-hc-statusDescription";
/// [`STATUS_CODE`] as `hyco-websocket` spells it; understood on accept addresses only.
pub const SHORT_STATUS_CODE: &str = "statusCode";
/// [`STATUS_DESCRIPTION`] as `hyco-websocket` spells it.
pub const SHORT_STATUS_DESCRIPTION: &str = "statusDescription";
/// Query parameter: the name of a rule, sent together with its raw key.
pub const SAS_KEY_NAME: &str = "sb-hc-sas-key-name";
/// Query parameter: the raw key of a rule.
pub const SAS_KEY: &str = "sb-hc-sas-key";

/// First path segment of every WebSocket request.
pub const HYBRID_SEGMENT: &str = "$hc";

/// Request header that carries a token.
pub const AUTHORIZATION_HEADER: &str = "ServiceBusAuthorization";
/// Response header with the tracking id of a handshake.
pub const TRACKING_ID_HEADER: &str = "TrackingId";
/// Request header of a sender: only these listeners may be chosen (ids, separated by commas).
pub const ALLOWED_LISTENERS_HEADER: &str = "Microsoft-Relay-AllowedListeners";
/// Request header of a sender: these listeners must not be chosen.
pub const DISALLOWED_LISTENERS_HEADER: &str = "Microsoft-Relay-DisallowedListeners";

/// What a SAS token starts with.
pub const SAS_SCHEME: &str = "SharedAccessSignature";

/// The port on which the emulator listens unless told otherwise, and which a connection string with
/// `UseDevelopmentEmulator=true` means when it names none.
pub const EMULATOR_PORT: u16 = 9400;
/// The rule of the emulator's program unless told otherwise.
pub const EMULATOR_KEY_NAME: &str = "RootManageSharedAccessKey";
/// Its key. It is published, and no secret: everybody's emulator has it, so that a connection string
/// can stand in a file.
pub const EMULATOR_KEY: &str = "aHljby1ycy1sb2NhbC1yZWxheS1pcy1ub3Qtc2VjcmV0";

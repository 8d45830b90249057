//! How commands are read from JSON and written to it.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
    ser::SerializeMap,
};
use serde_json::Value;

use crate::{
    command::{Accept, Command, FullRequest, Headers, RemoteEndpoint, Reply, Request, Response},
    error::Error,
    http::SET_COOKIE,
    names, query,
};

/// Which keys of an object mean something.
pub(crate) trait Keys: Sized {
    /// Reads the value of a key that means something; none for any other key.
    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error>;

    /// What an object without such a key is.
    fn unknown(key: String) -> Self;
}

impl Keys for Command {
    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
        match key {
            "accept" => {
                let mut accept: Accept = map.next_value()?;
                if accept.id.is_empty() {
                    accept.id = id_of(&accept.address);
                }
                Ok(Some(Self::Accept(accept)))
            }
            "request" => Ok(Some(Self::Request(
                map.next_value::<LooseRequest>()?.tighten(),
            ))),
            _ => Ok(None),
        }
    }

    fn unknown(key: String) -> Self {
        Self::Unknown(key)
    }
}

impl Keys for Reply {
    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
        match key {
            "renewToken" => Ok(Some(Self::RenewToken(
                map.next_value::<RenewToken>()?.token,
            ))),
            "response" => {
                let response: Response = map.next_value()?;
                match response.request_id.is_empty() {
                    true => Err(A::Error::custom("requestId is empty")),
                    false => Ok(Some(Self::Response(response))),
                }
            }
            _ => Ok(None),
        }
    }

    fn unknown(key: String) -> Self {
        Self::Unknown(key)
    }
}

/// Reads an object of which one key counts; the others are passed over.
pub(crate) fn parse<T: Keys>(text: &str) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = deserializer
        .deserialize_map(Envelope(PhantomData))
        .and_then(|command| deserializer.end().map(|()| command));
    // The parser's own message may quote the text, which may hold a token.
    read.map_err(|error| {
        let what = match error.is_data() {
            true => "its members are not as they should be",
            false => "it is not JSON",
        };
        Error::MalformedCommand(format!("{what}, column {}", error.column()))
    })
}

/// Writes an object with a single key.
pub(crate) fn write(key: &str, value: &impl Serialize) -> String {
    let mut json = Vec::with_capacity(USUAL_COMMAND);
    json.push(b'{');
    append(&mut json, key);
    json.push(b':');
    append(&mut json, value);
    json.push(b'}');
    String::from_utf8(json).expect("JSON is written as UTF-8")
}

fn append(json: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(json, value)
        .expect("strings, numbers and maps of them always have a JSON form");
}

struct Envelope<T>(PhantomData<T>);

impl<'de, T: Keys> Visitor<'de> for Envelope<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let (mut known, mut unknown) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            let read = if known.is_none() {
                T::read(&key, &mut map)?
            } else {
                None
            };
            if read.is_some() {
                known = read;
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            unknown.get_or_insert(key);
        }
        Ok(known.unwrap_or_else(|| T::unknown(unknown.unwrap_or_default())))
    }
}

#[derive(Deserialize)]
struct RenewToken {
    token: String,
}

/// A request of either form: absence of `method` or of `body` makes it a pointer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LooseRequest {
    address: String,
    id: Option<String>,
    request_target: Option<String>,
    method: Option<String>,
    remote_endpoint: Option<RemoteEndpoint>,
    #[serde(default)]
    request_headers: Headers,
    body: Option<bool>,
}

impl LooseRequest {
    fn tighten(self) -> Request {
        let (Some(method), Some(body)) = (self.method, self.body) else {
            return Request::Pointer {
                address: self.address,
            };
        };
        Request::Full(FullRequest {
            id: self
                .id
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| id_of(&self.address)),
            address: self.address,
            request_target: self.request_target.unwrap_or_else(|| "/".to_owned()),
            method,
            remote_endpoint: self.remote_endpoint,
            request_headers: self.request_headers,
            body,
        })
    }
}

fn id_of(address: &str) -> String {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    query::parameter(query, names::ID).unwrap_or_default()
}

/// What cannot be a port is none: a sender is not turned away for it.
pub(crate) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value
        .as_u64()
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or_default())
}

/// A number, or a numeric string as the documentation's example has it.
pub(crate) fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let status = match &value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    status
        .filter(|status| (100..=999).contains(status))
        .and_then(|status| u16::try_from(status).ok())
        .ok_or_else(|| D::Error::custom("statusCode is not from 100 to 999"))
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let joined = joined(self.0.iter());
        let mut map = serializer.serialize_map(Some(joined.len()))?;
        for (name, value) in joined {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

/// Writes the headers of a response: cookies are not joined, since a comma may stand in one.
pub(crate) fn response_headers<S: Serializer>(
    headers: &Headers,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let is_cookie = |name: &str| name.eq_ignore_ascii_case(SET_COOKIE);
    let joined = joined(headers.0.iter().filter(|(name, _)| !is_cookie(name)));
    let mut cookies: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in headers.0.iter().filter(|(name, _)| is_cookie(name)) {
        match cookies.iter_mut().find(|(spelling, _)| spelling == name) {
            Some((_, values)) => values.push(value),
            None => cookies.push((name, vec![value])),
        }
    }
    let mut map = serializer.serialize_map(Some(joined.len() + cookies.len()))?;
    for (name, value) in joined {
        map.serialize_entry(name, &value)?;
    }
    for (name, values) in cookies {
        match values.as_slice() {
            [value] => map.serialize_entry(name, value)?,
            values => map.serialize_entry(name, values)?,
        }
    }
    map.end()
}

/// One entry for each name, in any case; cookies of a request are joined as their header joins them.
fn joined<'a>(headers: impl Iterator<Item = &'a (String, String)>) -> Vec<(&'a str, Cow<'a, str>)> {
    let mut joined: Vec<(&str, Cow<'_, str>)> = Vec::new();
    for (name, value) in headers {
        match joined
            .iter_mut()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
        {
            Some((_, values)) => {
                let cookie = name.eq_ignore_ascii_case("cookie");
                let values = values.to_mut();
                values.push_str(if cookie { "; " } else { ", " });
                values.push_str(value);
            }
            None => joined.push((name, value.into())),
        }
    }
    joined
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with headers")
    }

    fn visit_unit<E>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, HeaderValue>()? {
            match value {
                HeaderValue::Text(text) => headers.push((name, text)),
                HeaderValue::Other(Value::Array(values)) => {
                    let texts = values.into_iter().filter_map(text_of);
                    headers.extend(texts.map(|text| (name.clone(), text)));
                }
                HeaderValue::Other(value) => {
                    headers.extend(text_of(value).map(|text| (name, text)));
                }
            }
        }
        Ok(Headers(headers))
    }
}

/// What stands behind the name of a header: a text nearly always, which is read without a detour.
enum HeaderValue {
    Text(String),
    Other(Value),
}

impl<'de> Deserialize<'de> for HeaderValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeaderValueVisitor)
    }
}

struct HeaderValueVisitor;

impl<'de> Visitor<'de> for HeaderValueVisitor {
    type Value = HeaderValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a header")
    }

    fn visit_str<E>(self, text: &str) -> Result<HeaderValue, E> {
        Ok(HeaderValue::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<HeaderValue, E> {
        Ok(HeaderValue::Other(flag.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<HeaderValue, E> {
        Ok(HeaderValue::Other(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<HeaderValue, E> {
        Ok(HeaderValue::Other(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<HeaderValue, E> {
        Ok(HeaderValue::Other(number.into()))
    }

    fn visit_unit<E>(self) -> Result<HeaderValue, E> {
        Ok(HeaderValue::Other(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<HeaderValue, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(values)).map(HeaderValue::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HeaderValue, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(map)).map(HeaderValue::Other)
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A response with a few headers fits, and so do most requests.
const USUAL_COMMAND: usize = 512;

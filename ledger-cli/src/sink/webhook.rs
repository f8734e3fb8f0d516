//! A web address that is sent the notice, signed as the Standard Webhooks specification says.

use super::address::{Private, PublicOnly, is_private};
use super::{Delivered, Parcel, Sink};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use ureq::http::Uri;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, config::Config};

/// What secrets of the specification begin with; the rest is base64.
const PREFIX: &str = "whsec_";
/// The fewest and the most bytes of a secret, as the specification has it.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A web address, and what its messages are signed with.
#[derive(Debug)]
pub(crate) struct Webhook {
    url: String,
    secret: Option<Secret>,
    allow_private: bool,
}

/// The key of the signatures. It is shown to nobody.
pub(crate) struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads a secret such as `whsec_MfKQ9r8G…`; says what is wrong without showing it.
    pub(crate) fn parse(text: &str) -> Result<Secret, String> {
        let coded = text.trim().strip_prefix(PREFIX).ok_or_else(|| format!("it does not begin with {PREFIX}"))?;
        let bytes = STANDARD.decode(coded).map_err(|_| format!("what follows {PREFIX} is not base64"))?;
        match SECRET_BYTES.contains(&bytes.len()) {
            true => Ok(Secret(bytes)),
            false => {
                Err(format!("it has {} bytes, not {} to {}", bytes.len(), SECRET_BYTES.start(), SECRET_BYTES.end()))
            }
        }
    }

    /// The signature of a message.
    fn sign(&self, id: &str, sent_at: i64, body: &str) -> String {
        // A key of any length is one for this code: the error cannot come.
        let Ok(mut code) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        code.update(format!("{id}.{sent_at}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(code.finalize().into_bytes()))
    }
}

impl Webhook {
    /// A sink at a URL; says what is wrong with it.
    pub(crate) fn new(url: &str, secret: Option<Secret>, allow_private: bool) -> Result<Webhook, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("it begins with neither https:// nor http://".into());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if let Some(address) = address.filter(|address| is_private(*address) && !allow_private) {
            return Err(Private(address).to_string());
        }
        Ok(Webhook { url: url.to_owned(), secret, allow_private })
    }

    /// A connection of its own for each message: nothing is kept open between them.
    fn agent(&self, within: Duration) -> Agent {
        let config = Config::builder()
            .timeout_global(Some(within))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // A proxy would look the name up for us, past the check of addresses.
            .proxy(None)
            .user_agent(concat!("bgledger/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = DefaultConnector::default();
        match self.allow_private {
            true => Agent::with_parts(config, connector, DefaultResolver::default()),
            false => Agent::with_parts(config, connector, PublicOnly::default()),
        }
    }
}

impl Sink for Webhook {
    fn deliver(&self, parcel: Parcel<'_>, within: Duration) -> Delivered {
        let mut message = self
            .agent(within)
            .post(&self.url)
            .header("content-type", "application/json")
            .header("webhook-id", parcel.key)
            .header("webhook-timestamp", parcel.sent_at.to_string());
        if let Some(secret) = &self.secret {
            message = message.header("webhook-signature", secret.sign(parcel.key, parcel.sent_at, parcel.body));
        }
        match message.send(parcel.body) {
            Ok(answer) => verdict(answer.status().as_u16()),
            Err(ureq::Error::Other(error)) if error.is::<Private>() => Delivered::Broken(error.to_string()),
            Err(ureq::Error::Timeout(_)) => Delivered::Refused(format!("no answer within {} s", within.as_secs())),
            Err(error) => Delivered::Refused(error.to_string()),
        }
    }
}

fn verdict(status: u16) -> Delivered {
    match status {
        200..=299 => Delivered::Yes,
        300..=399 => Delivered::Refused(format!("it answered {status}, and redirects are not followed")),
        // The specification's word for an endpoint that wants no more.
        410 => Delivered::Broken("it answered 410: it wants no more messages".into()),
        status => Delivered::Refused(format!("it answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own page.
    #[test]
    fn messages_are_signed_as_the_specification_says() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_cannot_be_is_told_without_the_secret() {
        for wrong in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", "whsec_c2hvcnQ="] {
            let told = Secret::parse(wrong).unwrap_err();
            assert!(!told.contains(wrong.trim_start_matches(PREFIX)), "{told}");
        }
        for wrong in ["ftp://host/", "https://", "//host", "http://127.0.0.1/hook", "http://[::1]:8080/"] {
            assert!(Webhook::new(wrong, None, false).is_err(), "{wrong}");
        }
        assert!(Webhook::new("http://127.0.0.1/hook", None, true).is_ok());
        assert!(Webhook::new("https://hooks.example.com/", None, false).is_ok());
    }
}

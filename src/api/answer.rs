//! The clouds' error envelopes: what was answered in place of an answer.

use std::fmt;
use std::time::Duration;

use quick_xml::events::Event;

use super::code::{self, Codes};
use super::error::Reason;
use super::xml;

/// What the cloud said in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} (HTTP {status}{}): {message}", RequestId(request_id))]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The cloud's code, for people; `HTTP 503` and the like when the body holds none. One that [`code`] does not list
    /// may be told without a part of it: [`Answer::says`] decides.
    pub code: String,
    /// Whether the code is the cloud's own; anything between us and it can answer with a status.
    pub has_code: bool,
    /// Whether the cloud's words, before anything was taken out of them, name the time and not the key.
    pub names_the_clock: bool,
    /// The cloud's words, at most [`MESSAGE_LIMIT`] characters.
    pub message: String,
    /// The cloud's name for this request, for its support.
    pub request_id: Option<String>,
    /// What the server asked us to wait.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Reads an error answer, whichever envelope it comes in: EC2's, the query services', a third form
    /// with `Errors` inside `ErrorResponse`, HTML or nothing at all. `redact` takes out what nobody may read, from
    /// the words as they are meant: an envelope can hold them in escapes.
    pub fn parse(
        status: u16,
        body: &str,
        header_request_id: Option<&str>,
        redact: impl Fn(String) -> String,
    ) -> Self {
        let found = Envelope::read(body);
        let has_code = found.code.is_some();
        // Nobody's code or words are longer, and each is compared with the secrets.
        let redact = |text: String| redact(text.chars().take(LOOKED_THROUGH).collect());
        let is_wrongly_signed =
            (found.code.as_deref()).is_some_and(|code| code::WRONG_SIGNATURE.contain(code));
        let names_the_clock = is_wrongly_signed
            && (found.message.iter())
                .any(|message| CLOCK_IS_WRONG.iter().any(|words| message.contains(words)));
        // Words of our own are no secret, whatever a secret is made of.
        let code = match found.code {
            None => format!("HTTP {status}"),
            Some(code) if code::is_known(&code) => code,
            Some(code) => limited(&redact(code), 128),
        };
        let message = found.message.unwrap_or_else(|| match found.recognised {
            true => "no message".to_owned(),
            false if body.is_empty() => "empty answer".to_owned(),
            false => format!("not an answer of the API but {}", described(body)),
        });
        Self {
            status,
            has_code,
            code,
            names_the_clock,
            message: limited(&redact(message), MESSAGE_LIMIT),
            request_id: found
                .request_id
                .or_else(|| header_request_id.map(str::to_owned))
                .map(|id| limited(&redact(id), 128)),
            retry_after: None,
        }
    }

    /// The bounded cause. Codes as AWS and OUTSCALE list them among their common errors.
    pub fn reason(&self) -> Reason {
        match self.status {
            _ if self.says(code::THROTTLED) => Reason::Throttled,
            _ if self.says(code::DENIED) => Reason::Denied,
            _ if self.names_the_clock || self.says(code::CLOCK) => Reason::Clock,
            _ if self.says(code::REFUSED_KEY) => Reason::Auth,
            429 => Reason::Throttled,
            401 => Reason::Auth,
            // No code of the cloud's: something between us and it said so.
            403 if !self.has_code => Reason::Denied,
            502..=504 if !self.has_code => Reason::Unreachable,
            300..=399 => Reason::Malformed,
            _ => Reason::Other,
        }
    }

    /// Whether its code is one of these: what anything is decided by.
    pub fn says(&self, codes: Codes) -> bool {
        codes.contain(&self.code)
    }

    /// Whether the cloud itself said no, so that it certainly did nothing. What stands between us and it may answer with
    /// any status in place of what the cloud said; and a cloud that broke down may have done it before.
    pub fn is_a_refusal_of_the_cloud(&self) -> bool {
        self.has_code && (self.status < 500 || self.reason() == Reason::Throttled)
    }

    /// Whether the cloud refused a parameter as such: paging parameters are not proven on OUTSCALE.
    pub fn refuses_a_parameter(&self) -> bool {
        self.status == 400 && self.says(code::REFUSED_PARAMETER)
    }
}

/// What an error envelope holds, found by local name wherever it stands.
#[derive(Default)]
struct Envelope {
    recognised: bool,
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
}

impl Envelope {
    fn read(body: &str) -> Self {
        let mut found = Self::default();
        let mut reader = quick_xml::Reader::from_str(body);
        reader.config_mut().check_end_names = false;
        let mut element = String::new();
        let mut text = String::new();
        // An error answer is short; what is longer is something else.
        for _ in 0..256 {
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    start.local_name().into_inner().clone_into(&mut element);
                    found.recognised |= ENVELOPES.contains(&element.as_str());
                    text.clear();
                }
                Ok(Event::End(_)) => {
                    let slot = match element.as_str() {
                        "Code" => &mut found.code,
                        "Message" | "message" => &mut found.message,
                        "RequestID" | "RequestId" | "requestId" => &mut found.request_id,
                        _ => continue,
                    };
                    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    if slot.is_none() && !words.is_empty() {
                        *slot = Some(words);
                    }
                    element.clear();
                }
                Ok(Event::Text(piece)) => text.push_str(&piece),
                Ok(Event::CData(piece)) => text.push_str(&piece),
                Ok(Event::GeneralRef(reference)) => {
                    text.extend(xml::resolve(&reference));
                }
                Ok(Event::Eof) | Err(_) => break,
                Ok(_) => {}
            }
        }
        // HTML has no `Code`; a page that happens to use the word is no envelope either.
        if found.recognised { found } else { Self::default() }
    }
}

/// What a body is that is none of the API's, so that a person can tell a proxy's page from a cloud's: of its words only
/// a page's title, since the rest may hold anything.
pub(super) fn described(body: &str) -> String {
    let head: String = body.chars().take(SKETCHED).collect();
    let tags = head.to_ascii_lowercase();
    let what = match head.trim_start().chars().next() {
        _ if tags.contains("<html") => match title(&head, &tags) {
            Some(title) => format!("HTML titled `{}`", limited(&title, 100)),
            None => "HTML".to_owned(),
        },
        Some('<') => "XML".to_owned(),
        Some('{' | '[') => "JSON".to_owned(),
        _ => "text".to_owned(),
    };
    format!("{what}, {} bytes long", body.len())
}

/// The title of a page, whose tags are given in lower case too.
fn title(head: &str, tags: &str) -> Option<String> {
    let begin = tags.find("<title>")? + "<title>".len();
    let length = tags.get(begin..)?.find('<')?;
    let words: Vec<&str> = head.get(begin..begin + length)?.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Cuts foreign text and takes its control characters out: it goes into logs and terminals.
fn limited(text: &str, characters: usize) -> String {
    let clean = |character: char| if character.is_control() { ' ' } else { character };
    let mut cut: String = text.chars().take(characters).map(clean).collect();
    if text.chars().nth(characters).is_some() {
        cut.push('…');
    }
    cut
}

/// `", request id X"`, or nothing.
struct RequestId<'a>(&'a Option<String>);

impl fmt::Display for RequestId<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .as_ref()
            .map_or(Ok(()), |id| write!(formatter, ", request {id}"))
    }
}

/// Where a page says what it is.
const SKETCHED: usize = 4 << 10;

/// What of a foreign text is looked through for secrets: much more than is told, so that no end of one is left over.
const LOOKED_THROUGH: usize = 8 << 10;

/// Longest message kept: clouds put an encoded authorization message of kilobytes behind some.
pub const MESSAGE_LIMIT: usize = 300;

const ENVELOPES: [&str; 3] = ["Response", "ErrorResponse", "Errors"];

/// Whom SigV4's services blame, in the same words behind the same code.
const CLOCK_IS_WRONG: [&str; 2] = ["Signature expired", "Signature not yet current"];

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::redaction::Redaction;

    fn parsed(status: u16, body: &str) -> (String, String, Option<String>, Reason) {
        let answer = Answer::parse(status, body, None, |text| text);
        let reason = answer.reason();
        (answer.code, answer.message, answer.request_id, reason)
    }

    #[test]
    fn every_envelope_is_understood() {
        let ec2 = "<?xml version=\"1.0\"?>\n<Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was \
                   not able to validate</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
        let query = "<ErrorResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/\"><Error>\
                     <Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>\
                     <RequestId>r-2</RequestId></ErrorResponse>";
        let third = "<ErrorResponse><Errors><Error><Code>AccessDenied</Code><Message>User: x &amp; y</Message>\
                     <Type>Sender</Type></Error></Errors><RequestId>r-3</RequestId></ErrorResponse>";
        assert_eq!(
            parsed(401, ec2),
            (
                "AuthFailure".into(),
                "AWS was not able to validate".into(),
                Some("r-1".into()),
                Reason::Auth
            )
        );
        assert_eq!(
            parsed(400, query),
            (
                "Throttling".into(),
                "Rate exceeded".into(),
                Some("r-2".into()),
                Reason::Throttled
            )
        );
        assert_eq!(
            parsed(403, third),
            (
                "AccessDenied".into(),
                "User: x & y".into(),
                Some("r-3".into()),
                Reason::Denied
            )
        );
    }

    #[test]
    fn html_and_silence_get_a_code_from_the_status() {
        let html = "<!DOCTYPE html><html><head><title>502</title></head><body>Code <b>Code</b></body></html>";
        let (code, message, _, reason) = parsed(502, html);
        assert_eq!((code.as_str(), reason), ("HTTP 502", Reason::Unreachable));
        assert_eq!(
            message,
            "not an answer of the API but HTML titled `502`, 88 bytes long"
        );
        assert_eq!(parsed(500, "").0, "HTTP 500");
        assert_eq!(parsed(500, "").1, "empty answer");
    }

    #[test]
    fn limit_exceeded_is_not_a_throttle() {
        let body =
            "<ErrorResponse><Error><Code>LimitExceeded</Code><Message>keys</Message></Error></ErrorResponse>";
        assert_eq!(parsed(409, body).3, Reason::Other);
    }

    /// An answer with this code, or without one.
    fn answered(status: u16, code: Option<&str>) -> Answer {
        let body = code.map_or_else(
            || "<html>".to_owned(),
            |code| format!("<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>"),
        );
        Answer::parse(status, &body, None, |text| text)
    }

    #[test]
    fn a_no_of_the_cloud_is_told_from_that_of_a_gateway_and_from_a_breakdown() {
        for (status, code, is_a_no) in [
            (409, Some("EntityAlreadyExists"), true),
            (403, Some("AccessDenied"), true),
            (503, Some("RequestLimitExceeded"), true),
            (500, Some("InternalError"), false),
            (403, None, false),
            (429, None, false),
            (503, None, false),
        ] {
            let answer = answered(status, code);
            assert_eq!(answer.is_a_refusal_of_the_cloud(), is_a_no, "{answer}");
        }
    }

    #[test]
    fn a_refused_parameter_is_known_by_status_and_code() {
        for (status, code, is_refused) in [
            (400, Some("InvalidParameterValue"), true),
            (400, Some("ValidationError"), true),
            (400, Some("InvalidInstanceID.NotFound"), false),
            (400, None, false),
            (500, Some("InvalidParameterValue"), false),
        ] {
            let answer = answered(status, code);
            assert_eq!(answer.refuses_a_parameter(), is_refused, "{answer}");
        }
    }

    /// The same answer to a request with this secret.
    fn redacted(status: u16, code: &str, message: &str, secret: &str) -> Answer {
        let body = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        );
        let redaction = Redaction::of(&[SecretString::from(secret)]);
        Answer::parse(status, &body, None, |text| redaction.clean(text))
    }

    #[test]
    fn code_is_decided_by_whatever_the_secret_is_made_of() {
        for (status, code, secret, reason) in [
            (403, "InvalidAccessKeyId", "YOUR_SECRET_ACCESS_KEY", Reason::Auth),
            (403, "InvalidClientTokenId", "your-client-token-id", Reason::Auth),
            (400, "ExpiredToken", "tok", Reason::Auth),
            (403, "SignatureDoesNotMatch", "signature", Reason::Auth),
            (400, "RequestExpired", "request", Reason::Clock),
            (403, "AccessDenied", "access", Reason::Denied),
            (503, "RequestLimitExceeded", "limit", Reason::Throttled),
            (404, "NoSuchEntity", "no-such-entity", Reason::Other),
            (400, "InvalidParameterValue", "parameter", Reason::Other),
        ] {
            let answer = redacted(status, code, &format!("got {secret}"), secret);
            assert_eq!((answer.reason(), answer.code.as_str()), (reason, code));
            assert_eq!(answer.message, "got [REDACTED]", "{code}");
        }
        assert!(redacted(404, "NoSuchEntity", "no", "entity").says(code::NO_SUCH_ENTITY));
        assert!(redacted(400, "UnknownParameter", "no", "unknown").refuses_a_parameter());
    }

    #[test]
    fn status_without_a_code_is_decided_by_whatever_the_secret_is_made_of() {
        for (status, reason) in [(403, Reason::Denied), (503, Reason::Unreachable)] {
            let redaction = Redaction::of(&[SecretString::from("http")]);
            let answer = Answer::parse(status, "<html>", None, |text| redaction.clean(text));
            assert_eq!((answer.reason(), answer.code), (reason, format!("HTTP {status}")));
        }
    }

    #[test]
    fn clock_is_named_by_whatever_the_secret_is_made_of() {
        let words = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z";
        for secret in ["YOUR_SIGNATURE", "expired", "nothing of it"] {
            let answer = redacted(403, "SignatureDoesNotMatch", words, secret);
            assert_eq!(answer.reason(), Reason::Clock, "{answer}");
            assert_eq!(
                redacted(403, "Odd", words, secret).reason(),
                Reason::Other,
                "{secret}"
            );
        }
    }

    #[test]
    fn code_that_nobody_knows_is_told_without_the_secret() {
        for code in [
            "OddAccessKey",
            "secret-access-key",
            "InvalidAccessKeyIdYourSecretAccessKey",
        ] {
            let answer = redacted(403, code, "no", "YOUR_SECRET_ACCESS_KEY");
            assert!(answer.code.contains("[REDACTED]"), "{answer}");
            assert!(!answer.code.to_lowercase().contains("accesskey"), "{answer}");
            assert_eq!(answer.reason(), Reason::Other);
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let body = format!(
            "<Response><Code>X</Code><Message>{}</Message></Response>",
            "é".repeat(5000)
        );
        assert_eq!(parsed(400, &body).1.chars().count(), MESSAGE_LIMIT + 1);
    }
}

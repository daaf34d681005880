//! Answers, and what is made of them.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::fault::Fault;
use crate::front::Asked;

/// A whole answer of this status, closed behind.
pub(crate) fn answer(status: &str, further: &str, body: &str) -> Vec<u8> {
    answer_of(status, further, body.len(), body)
}

/// The same, which announces another length.
pub(crate) fn answer_of(status: &str, further: &str, length: usize, body: &str) -> Vec<u8> {
    let length = format!("Content-Length: {length}\r\n");
    [
        head(status, &format!("{length}{further}")).as_bytes(),
        body.as_bytes(),
    ]
    .concat()
}

/// The same answer, with nothing said of a close: of a thousand pages, most are asked for on one connection.
pub(crate) fn kept_open(answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(answer.to_vec()).unwrap();
    text.replacen("Connection: close\r\n", "", 1).into_bytes()
}

/// Status and headers.
pub(crate) fn head(status: &str, further: &str) -> String {
    let date = Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT");
    format!(
        "HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Type: text/xml\r\nConnection: close\r\n{further}\r\n"
    )
}

/// The body of an answer of the cloud.
pub(crate) fn body(answer: &[u8]) -> String {
    let text = String::from_utf8(answer.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{text}");
    body.to_owned()
}

/// A refusal in the envelope of the service.
pub(crate) fn refusal(fault: Fault, asked: &Asked) -> Option<Vec<u8>> {
    let denied = if asked.is_ec2 {
        "UnauthorizedOperation"
    } else {
        "AccessDenied"
    };
    let (status, further, code) = match fault {
        Fault::InternalError => ("500 Internal Server Error", "", "InternalError"),
        Fault::ThrottleStorm => ("503 Service Unavailable", "", "RequestLimitExceeded"),
        Fault::RetryAfterOnce | Fault::RetryAfterAlways => (
            "429 Too Many Requests",
            "Retry-After: 7\r\n",
            "RequestLimitExceeded",
        ),
        Fault::Throttling => ("400 Bad Request", "", "Throttling"),
        Fault::Unauthorized => ("401 Unauthorized", "", "AuthFailure"),
        Fault::Denied => ("403 Forbidden", "", denied),
        Fault::ExpiredToken => ("403 Forbidden", "", "ExpiredToken"),
        _ => return None,
    };
    let error = format!("<Error><Code>{code}</Code><Message>on purpose</Message></Error>");
    let body = if asked.is_ec2 {
        format!("<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>")
    } else {
        format!("<ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>")
    };
    Some(answer(status, further, &body))
}

/// The right body, as this fault leaves it.
pub(crate) fn spoilt(fault: Fault, asked: &Asked, body: &str) -> String {
    let action = &asked.action;
    match fault {
        Fault::Truncated => cut(body),
        Fault::WrongRoot => body.replace(&format!("{action}Res"), "DescribeSomethingElseRes"),
        Fault::Html => "<!DOCTYPE html>\n<html><body><h1>Sign in &copy;<br></h1>\n".to_owned(),
        Fault::Deep => format!(
            "<{action}Response>{}{}</{action}Response>",
            "<item>".repeat(200_000),
            "</item>".repeat(200_000)
        ),
        Fault::Entities => bombed(body, action),
        Fault::EndlessPages | Fault::RepeatedToken | Fault::EmptyPage => paged(fault, asked, body),
        Fault::Duplicates => {
            let (before, items, behind) = parts(body);
            format!("{before}{items}{items}{behind}")
        }
        _ => body.to_owned(),
    }
}

fn cut(body: &str) -> String {
    let mut half = body.len() / 2;
    while !body.is_char_boundary(half) {
        half -= 1;
    }
    body.split_at(half).0.to_owned()
}

/// The page that the cursor asks for. All that is there is on the first.
fn paged(fault: Fault, asked: &Asked, body: &str) -> String {
    let number: u32 =
        (asked.cursor.as_deref()).map_or(1, |cursor| cursor.trim_start_matches("page-").parse().unwrap());
    let next = match fault {
        Fault::RepeatedToken => Some(2),
        Fault::EmptyPage => (number < 3).then_some(number + 1),
        _ => Some(number + 1),
    };
    let (before, items, behind) = parts(body);
    let items = if number == 1 { items } else { "" };
    let page = format!("{before}{items}{behind}");
    let Some(next) = next else { return page };
    let (token, end) = if asked.is_ec2 {
        (format!("<nextToken>page-{next}</nextToken>"), "Response")
    } else {
        (format!("<NextMarker>page-{next}</NextMarker>"), "Result")
    };
    let end = format!("</{}{end}>", asked.action);
    assert!(page.contains(&end), "{page}");
    page.replacen(&end, &format!("{token}{end}"), 1)
}

/// Entities that grow to a billion, and one that is a file, in an element that nobody knows.
fn bombed(body: &str, action: &str) -> String {
    let mut declared = String::from("<!ENTITY passwd SYSTEM \"file:///etc/passwd\"><!ENTITY e0 \"ha\">");
    for level in 1..10 {
        let ten = format!("&e{};", level - 1).repeat(10);
        write!(declared, "<!ENTITY e{level} \"{ten}\">").unwrap();
    }
    let root = body.find(&format!("<{action}Response")).unwrap();
    let (declaration, rest) = body.split_at(root);
    let inside = rest.find('>').unwrap() + 1;
    let (root, rest) = rest.split_at(inside);
    format!("{declaration}<!DOCTYPE {action}Response [{declared}]>{root}<note>&e9;&passwd;</note>{rest}")
}

/// What is before, in and behind the list of an answer.
fn parts(body: &str) -> (&str, &str, &str) {
    let name = if body.contains("<item>") { "item" } else { "member" };
    let begin = body.find(&format!("<{name}>"));
    let begin = begin.unwrap_or_else(|| panic!("nothing is listed: {body}"));
    let last = format!("</{name}>");
    let end = body.rfind(&last).unwrap() + last.len();
    let (rest, behind) = body.split_at(end);
    let (before, items) = rest.split_at(begin);
    (before, items, behind)
}

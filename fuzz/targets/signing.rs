//! Requests to be signed: nothing panics, and what means the same is signed the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use vigie::sigv4::{Request, Scope, canonical_request, sign};
use vigie_fuzz::{parts, texts};

fuzz_target!(|input: &[u8]| {
    let [texts_of, body] = halves(input);
    let Some([method, path, query, headers, secret, date]) = texts(texts_of) else {
        return;
    };
    let headers: Vec<(&str, &str)> = headers.lines().filter_map(|line| line.split_once(':')).collect();
    let request = Request {
        method,
        path,
        query,
        headers: &headers,
        body,
    };
    let canonical = canonical_request(&request);
    let scope = Scope {
        date,
        region: "eu-west-2",
        service: "ec2",
    };
    let secret = SecretString::from(secret);
    let signed = sign(&request, "AKIAFUZZEXAMPLE", &secret, &scope, date);
    assert!(signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIAFUZZEXAMPLE/"));

    // In which order parameters stand, and how a name is capitalised, means nothing.
    let mut turned: Vec<&str> = query.split('&').collect();
    turned.reverse();
    let turned = turned.join("&");
    let capitals: Vec<(String, &str)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_uppercase(), *value))
        .collect();
    let capitals: Vec<(&str, &str)> = capitals
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let same = Request {
        query: &turned,
        headers: &capitals,
        ..request
    };
    assert_eq!(canonical_request(&same), canonical);

    // A path and a query hold nothing that could be taken for the next line.
    let lines: Vec<&str> = canonical.split('\n').collect();
    if !method.contains('\n') {
        assert!(lines[1].starts_with('/') && lines[1].is_ascii(), "{}", lines[1]);
        assert!(lines[2].is_ascii(), "{}", lines[2]);
    }
});

/// The texts, and behind two separators in a row the body.
fn halves(input: &[u8]) -> [&[u8]; 2] {
    let at = input.windows(2).position(|pair| pair == [0xff, 0xff]);
    let (texts, body) = input.split_at(at.unwrap_or(input.len()));
    let [_, _, body] = parts(body);
    [texts, body]
}

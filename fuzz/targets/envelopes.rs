//! What comes in place of an answer: a status, the header that names the request, and a body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vigie::api::answer::Answer;
use vigie_fuzz::texts;

fuzz_target!(|input: &[u8]| {
    let [first, second, input @ ..] = input else {
        return;
    };
    let Some([header, body]) = texts(input) else {
        return;
    };
    let status = 100 + u16::from_le_bytes([*first, *second]) % 500;
    let answer = Answer::parse(status, body, Some(header), |words| {
        words.replace("SECRET", "[REDACTED]")
    });
    let told = answer.to_string();
    assert!(!told.contains(char::is_control), "{told:?}");
    assert!(!told.contains("SECRET"), "{told:?}");
    // Code, words and name of the request, each with its limit.
    assert!(told.chars().count() < 2048, "{}", told.len());
    assert!(!answer.code.is_empty());
    answer.reason();
    answer.refuses_a_parameter();
});

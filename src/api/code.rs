//! The clouds' codes that anything is decided by: all of them, each under what it means.
//!
//! What an error of a cloud repeats of a secret is taken out of it, but these words are nobody's secret, even where a
//! key's secret is made of the same (`YOUR_SECRET_ACCESS_KEY`). They stay whole, so a code is compared by one of these
//! lists alone: [`Answer::says`](super::answer::Answer::says), [`Error::says`](super::Error::says).

/// Codes that mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes(&'static [&'static str]);

impl Codes {
    /// Whether this is one of them.
    pub(super) fn contain(self, code: &str) -> bool {
        self.0.contains(&code)
    }
}

/// Whether it is a code of any list.
pub(super) fn is_known(code: &str) -> bool {
    KNOWN.iter().any(|codes| codes.contain(code))
}

/// Whatever list is made is one of those known.
macro_rules! lists {
    ($($(#[$meaning:meta])* $list:ident = [$($code:literal),* $(,)?];)*) => {
        $($(#[$meaning])* pub const $list: Codes = Codes(&[$($code),*]);)*

        const KNOWN: &[Codes] = &[$($list),*];
    };
}

lists! {
    /// Refused for rate. botocore's list, and the codes that EC2 and OUTSCALE name in their own pages.
    THROTTLED = [
        "BandwidthLimitExceeded",
        "DependencyThrottle",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "ThrottlingExceptions",
        "TooManyRequests",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ];
    /// The key may not do this.
    DENIED = ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "UnauthorizedAccess"];
    /// The request's time is too far from the cloud's.
    CLOCK = ["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"];
    /// A signature that is another than expected: by the secret, or by the time.
    WRONG_SIGNATURE = ["SignatureDoesNotMatch"];
    /// A key that is unknown, inactive, expired or signs wrongly; a region that the account has not opted into.
    REFUSED_KEY = [
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ];
    /// What was lent is over.
    EXPIRED_TOKEN = ["ExpiredToken", "ExpiredTokenException"];
    /// The same of a key on loan, which some services say of the request.
    RAN_OUT = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
    /// A parameter was refused as such.
    REFUSED_PARAMETER = [
        "InvalidParameter",
        "InvalidParameterCombination",
        "InvalidParameterException",
        "InvalidParameterValue",
        "UnknownParameter",
        "UnsupportedParameter",
        "ValidationError",
    ];
    /// The cloud does not have such an action.
    ///
    /// Not `UnsupportedOperation`: EC2 answers so to a key that may, about a thing that is not of the right sort.
    NO_SUCH_ACTION = [
        "InvalidAction",
        "NoSuchAction",
        "NotImplemented",
        "UnknownAction",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedAction",
    ];
    /// IAM's word for two changes at once, of which this one was not made.
    CHANGED_AT_ONCE = ["ConcurrentModification"];
    /// IAM has nothing of this name.
    NO_SUCH_ENTITY = ["NoSuchEntity"];
    /// IAM has something of this name already.
    EXISTS = ["EntityAlreadyExists"];
    /// IAM gives a user no more of these.
    LIMIT_EXCEEDED = ["LimitExceeded"];
    /// There is no such classic load balancer: the code on the wire, and the shape's name. Likewise below.
    NO_SUCH_CLASSIC_LOAD_BALANCER = ["LoadBalancerNotFound", "AccessPointNotFoundException"];
    /// There is no such load balancer of `ELBv2`.
    NO_SUCH_LOAD_BALANCER = ["LoadBalancerNotFound", "LoadBalancerNotFoundException"];
    /// There is no such target group.
    NO_SUCH_TARGET_GROUP = ["TargetGroupNotFound", "TargetGroupNotFoundException"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_known_by_its_whole_name_alone() {
        for code in KNOWN.iter().flat_map(|codes| codes.0) {
            assert!(is_known(code), "{code}");
            assert!(!is_known(&code.to_lowercase()), "{code}");
            assert!(!is_known(&format!("{code} ")), "{code}");
        }
        assert!(!is_known(""));
        assert!(!is_known("Odd"));
    }
}

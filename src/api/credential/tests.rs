use super::*;

fn users(regions: usize, processes: u32) -> Users {
    Users { regions, processes }
}

fn teller() -> Teller {
    Teller {
        endpoint: None,
        ca_bundle: None,
        metrics: Arc::new(super::super::Metrics::register(&prometheus::Registry::new()).unwrap()),
    }
}

fn credential(provider: Provider, users: Users) -> Credential {
    let source = Source::new(provider, None, None, Arc::new(|_: &str| None));
    Credential::new(provider, users, source, teller())
}

/// Requests that a region and all of them may have under way.
fn under_way(credential: &Credential, regions: usize) -> (usize, usize) {
    use futures_util::FutureExt as _;

    let shares: Vec<Semaphore> = (0..regions).map(|_| credential.share()).collect();
    let standing = credential.place.standing();
    let mut places = Vec::new();
    let mut take = |share| {
        let place = credential.room(share, &standing).now_or_never();
        place.map(|place| places.push(place.unwrap())).is_some()
    };
    let first = (0..9).filter(|_| take(&shares[0])).count();
    let rest = shares[1..].iter().flat_map(|share| [share; 9]);
    (first, first + rest.filter(|share| take(share)).count())
}

#[test]
fn share_of_a_region_follows_the_number_of_regions() {
    let credential = credential(Provider::Outscale, users(1, 1));
    assert_eq!(under_way(&credential, 1), (2, 2));
    credential.adopt(users(3, 1), teller());
    assert_eq!(under_way(&credential, 3), (1, 2));
    credential.adopt(users(1, 1), teller());
    assert_eq!(under_way(&credential, 1), (2, 2));
}

/// A key that was good and is not any more: what is under way with it in all of them is refused.
#[test]
fn processes_that_share_a_key_have_no_more_under_way_together_than_may_be_refused() {
    let most = |processes| under_way(&credential(Provider::Outscale, users(1, processes)), 1).1;
    assert_eq!((most(1), most(2), most(3)), (2, 1, 1));
    let credential = credential(Provider::Outscale, users(2, 1));
    assert_eq!(under_way(&credential, 2), (1, 2));
    credential.adopt(users(2, 2), teller());
    assert_eq!(under_way(&credential, 2), (1, 1));
}

#[test]
fn nothing_is_capped_where_refusals_lock_nothing() {
    let credential = credential(Provider::Aws, users(2, 9));
    assert_eq!(under_way(&credential, 2), (9, 18));
}

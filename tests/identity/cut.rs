//! A listing that says that it is not the whole, and not where the rest is: nothing is decided by it.

use std::io;

use vigie::credentials::Credentials;
use vigie::demo::Fault;
use vigie::identity::{self, Error, Names, Out, Teardown, Wish};
use vigie::provider::Provider;
use vigie::resources::kinds_of;

use crate::proof::{admin, bootstrap, cloud, place};

#[tokio::test]
async fn nothing_is_planned_by_a_listing_that_is_cut() {
    let cloud = cloud().await;
    bootstrap(&cloud).await.0.expect("the identity is made");
    let place = place(&cloud);
    let wish = Wish::of(Provider::Aws, &kinds_of(Provider::Aws));
    for listing in [
        "GetGroup",
        "ListAttachedGroupPolicies",
        "ListPolicies",
        "ListGroupsForUser",
        "ListAttachedUserPolicies",
        "ListAccessKeys",
    ] {
        cloud.inject(listing, Fault::EmptyToken, None);
        let mut give = |_: &Credentials| -> io::Result<()> { Ok(()) };
        let out = Out::Hand {
            name: "the test",
            give: &mut give,
        };
        let planned = identity::plan(&place, admin(&cloud), &wish, &out).await;
        let removal = Teardown::prepare(&place, admin(&cloud), &Names::default()).await;
        for refused in [planned.map(drop), removal.map(drop)] {
            let Err(Error::Failed(error)) = refused else {
                panic!("{listing} passes for whole: {refused:?}");
            };
            let words = format!("{error:#}");
            assert!(
                words.contains(listing) && words.contains("no <Marker>"),
                "{words}"
            );
        }
        cloud.clear_faults();
    }
    Teardown::prepare(&place, admin(&cloud), &Names::default())
        .await
        .map(drop)
        .expect("what is whole is understood");
}

use prometheus::Registry;

use super::*;
use crate::poller::Status;
use crate::resources::instances;

fn watched(account: &str) -> Watched {
    let (_, status) = tokio::sync::watch::channel(Status::default());
    Watched::new(account, "r", &instances::KIND, status)
}

fn accounts(page: &Page) -> Vec<String> {
    let watched = page.watched().into_iter();
    watched.map(|watched| watched.account).collect()
}

#[test]
fn account_that_begins_anew_is_on_the_page_until_what_replaces_it_is_whole() {
    let page = Page::new(Registry::new(), Duration::from_secs(60)).unwrap();
    page.add(["kept", "anew", "gone"].map(watched), None);
    let gone = ["anew", "gone"].map(str::to_owned);
    let mut seen = Vec::new();
    let further = ["anew", "new"].into_iter().map(|account| {
        seen.push(accounts(&page));
        watched(account)
    });
    page.replace(&gone, further, None, Duration::from_secs(60));
    assert_eq!(seen, [["kept", "anew", "gone"], ["kept", "anew", "gone"]]);
    assert_eq!(accounts(&page), ["kept", "anew", "new"]);
}

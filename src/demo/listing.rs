//! Listings of what a region holds besides instances: by id, by filter, in pages.

use super::call::Call;
use super::ec2::{dry_run, filters, write_next};
use super::paging::{self, Next};
use super::policy;
use super::region::Region;
use super::wire::Refusal;
use super::xml::Xml;

/// Something that is listed.
pub(super) trait Listed {
    fn id(&self) -> &str;

    fn tags(&self) -> &[(String, String)];

    /// What it has to say on the subject of a filter; one not known here lets nothing through.
    fn fact(&self, filter: &str) -> Option<&str>;
}

/// How an action lists.
pub(super) struct Listing {
    /// The element around the items.
    pub(super) set: &'static str,
    /// The parameter that asks for some of them.
    pub(super) ids: &'static str,
    /// The code for one that is not there.
    pub(super) unknown: &'static str,
    /// The largest page; none where there are no pages.
    pub(super) page_size: Option<usize>,
}

impl Listing {
    /// Writes what a request asks for out of `all`, which come in the order of their serials.
    pub(super) fn write<'a, T: Listed + 'a>(
        &self,
        call: &Call<'_>,
        xml: &mut Xml,
        region: &Region,
        all: impl Iterator<Item = (u64, &'a T)> + Clone,
        each: impl FnMut(&mut Xml, &T),
    ) -> Result<(), Refusal> {
        dry_run(call)?;
        let size = match self.page_size {
            Some(largest) => call.page_size("MaxResults", 5, largest)?,
            None => None,
        };
        let cursor = call.cursor("NextToken")?;
        let ids = call.parameters.list(self.ids, "");
        for id in &ids {
            if all.clone().all(|(_, item)| item.id() != *id) {
                let message = format!("The {} '{id}' does not exist", self.ids);
                return Err(Refusal::new(400, self.unknown, message));
            }
        }
        let filters = filters(call.parameters);
        let fits = |item: &T| {
            filters.iter().all(|(name, wanted)| {
                let facts: Vec<&str> = match name.strip_prefix("tag:") {
                    Some(key) => {
                        let of_key = item.tags().iter().filter(|(found, _)| found == key);
                        of_key.map(|(_, value)| value.as_str()).collect()
                    }
                    None => item.fact(name).into_iter().collect(),
                };
                let fits = |fact: &&str| wanted.iter().any(|wanted| policy::matches(wanted, fact, false));
                facts.iter().any(fits)
            })
        };
        let found = all.filter(|(_, item)| (ids.is_empty() || ids.contains(&item.id())) && fits(item));
        let page = paging::page(found, cursor, size, call.twist);
        write_items(call, xml, region, self.set, page.items, &page.next, each);
        write_next(xml, "nextToken", page.next);
        Ok(())
    }
}

/// Writes items, and behind the last of them those that were put in verbatim.
pub(super) fn write_items<T>(
    call: &Call<'_>,
    xml: &mut Xml,
    region: &Region,
    set: &str,
    items: impl IntoIterator<Item = T>,
    next: &Next,
    mut each: impl FnMut(&mut Xml, T),
) {
    let mut items = items.into_iter().peekable();
    let action = call.parameters.value("Action").unwrap_or_default();
    let raw = region.holdings.raw.get(action).map_or(&[][..], Vec::as_slice);
    let raw = if matches!(next, Next::Token(_)) { &[] } else { raw };
    if items.peek().is_none() && raw.is_empty() {
        return xml.empty(set);
    }
    xml.within(set, |xml| {
        for item in items {
            xml.within("item", |xml| each(xml, item));
        }
        for item in raw {
            xml.verbatim(item);
        }
    });
}

/// As listings have them; nothing where there are none.
pub(super) fn write_tags(xml: &mut Xml, tags: &[(String, String)]) {
    if !tags.is_empty() {
        xml.list("tagSet", "item", tags, |xml, (key, value)| {
            xml.text("key", key);
            xml.text("value", value);
        });
    }
}

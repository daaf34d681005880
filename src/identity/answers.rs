//! Reading what IAM answers: texts of named elements, in lists of `member`s that come in pages.

use crate::api::xml::{self, Reader};

/// Reads one page of a listing, each element of its result with `read`, and gives the marker of the next.
///
/// AWS sends the list when it is empty too; whether EIM does nobody has seen, so that one that is said to be whole may lack
/// it. `IsTruncated` says whether there is more, and if it is not there, a
/// marker does; none of both is the end. A page that says that there is more has to say where.
pub fn page(
    reader: &mut Reader<'_>,
    list: &str,
    mut read: impl FnMut(&mut Reader<'_>, &str) -> Result<(), xml::Error>,
) -> Result<Option<String>, xml::Error> {
    let (mut has_list, mut is_cut, mut marker) = (false, None, String::new());
    while let Some(element) = reader.child()? {
        match element {
            "IsTruncated" => is_cut = is_true(reader.text()?.trim()),
            "Marker" => reader.text()?.trim().clone_into(&mut marker),
            element => {
                has_list |= element == list;
                let element = element.to_owned();
                read(reader, &element)?;
            }
        }
    }
    xml::require(has_list || is_cut == Some(false), list)?;
    match (is_cut, marker.is_empty()) {
        (Some(false), _) | (None, true) => Ok(None),
        (Some(true) | None, false) => Ok(Some(marker)),
        (Some(true), true) => Err(xml::Error::NoCursor { expected: "Marker" }),
    }
}

/// Anything but a no is a yes, so that what is not understood is not taken for the end.
fn is_true(text: &str) -> Option<bool> {
    let is_no = ["false", "0"].iter().any(|no| text.eq_ignore_ascii_case(no));
    (!text.is_empty()).then_some(!is_no)
}

/// The texts of these children of the element just entered.
pub fn fields<const N: usize>(reader: &mut Reader<'_>, names: [&str; N]) -> Result<[String; N], xml::Error> {
    let mut values = [const { String::new() }; N];
    while let Some(child) = reader.child()? {
        match names.iter().position(|name| *name == child) {
            Some(index) => values[index] = reader.text()?.into_owned(),
            None => reader.skip()?,
        }
    }
    Ok(values)
}

/// The same of each `member` of the list just entered.
pub fn each<const N: usize>(
    reader: &mut Reader<'_>,
    names: [&str; N],
) -> Result<Vec<[String; N]>, xml::Error> {
    let mut members = Vec::new();
    reader.each("member", |member| {
        members.push(fields(member, names)?);
        Ok(())
    })?;
    Ok(members)
}

/// The same of one element of the result.
pub fn within<const N: usize>(
    reader: &mut Reader<'_>,
    element: &str,
    names: [&str; N],
) -> Result<[String; N], xml::Error> {
    let mut found = None;
    reader.each(element, |inner| {
        found = Some(fields(inner, names)?);
        Ok(())
    })?;
    found.ok_or_else(|| xml::Error::NoResult {
        expected: element.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names in the list of one page, and the marker of the next.
    fn read(result: &str) -> Result<(Vec<String>, Option<String>), xml::Error> {
        let document = format!("<R>{result}</R>");
        let mut names = Vec::new();
        let marker = Reader::open(&document, "R")?.whole(None, |reader| {
            page(reader, "Users", |reader, element| match element {
                "Users" => {
                    names.extend(each(reader, ["UserName"])?.into_iter().flatten());
                    Ok(())
                }
                _ => reader.skip(),
            })
        })?;
        Ok((names, marker))
    }

    const USERS: &str = "<Users><member><UserName>watcher_1</UserName></member></Users>";

    #[test]
    fn listing_goes_on_where_it_says_so_and_ends_otherwise() {
        for (behind, marker) in [
            (
                "<IsTruncated>true</IsTruncated><Marker> m&amp;1\n</Marker>",
                Some("m&1"),
            ),
            ("<Marker>m</Marker><IsTruncated> true </IsTruncated>", Some("m")),
            ("<IsTruncated>TRUE</IsTruncated><Marker>m</Marker>", Some("m")),
            ("<IsTruncated>false</IsTruncated>", None),
            ("<IsTruncated>false</IsTruncated><Marker>m</Marker>", None),
            ("<IsTruncated/><Marker/>", None),
            ("<IsTruncated>False</IsTruncated><Marker>m</Marker>", None),
            ("<IsTruncated>0</IsTruncated>", None),
            ("<Marker>m</Marker>", Some("m")),
            ("<IsTruncated/><Marker>m</Marker>", Some("m")),
            ("", None),
        ] {
            let expected = (vec!["watcher_1".to_owned()], marker.map(str::to_owned));
            assert_eq!(read(&format!("{USERS}{behind}")), Ok(expected), "{behind}");
        }
    }

    #[test]
    fn listing_that_is_cut_and_does_not_say_where_is_not_the_whole() {
        for behind in ["", "<Marker/>", "<Marker></Marker>", "<Marker> \n</Marker>"] {
            for cut in ["true", "True", "1", "yes"] {
                let page = format!("{USERS}<IsTruncated>{cut}</IsTruncated>{behind}");
                let expected = xml::Error::NoCursor { expected: "Marker" };
                assert_eq!(read(&page), Err(expected), "{page}");
            }
        }
    }

    #[test]
    fn page_without_its_list_is_no_empty_page_unless_it_says_that_it_is_whole() {
        for empty in ["<Users/>", "<IsTruncated>false</IsTruncated>"] {
            assert_eq!(read(empty), Ok((Vec::new(), None)), "{empty}");
        }
        for page in [
            "",
            "<Group><GroupName>monitoring</GroupName></Group>",
            "<Members><member/></Members>",
            "<IsTruncated>true</IsTruncated><Marker>m</Marker>",
            "<Group><Users/></Group>",
        ] {
            let expected = xml::Error::NoResult {
                expected: "Users".to_owned(),
            };
            assert_eq!(read(page), Err(expected), "{page}");
        }
    }
}

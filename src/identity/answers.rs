//! Reading what IAM answers: texts of named elements, in lists of `member`s that come in pages.

use crate::api::xml::{self, Reader};

/// Reads one page of a listing, each element of its result with `read`, and gives the marker of the next. There is more
/// only where `IsTruncated` says so: a marker alone, or none of both, is the end.
pub fn page(
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>, &str) -> Result<(), xml::Error>,
) -> Result<Option<String>, xml::Error> {
    let (mut truncated, mut marker) = (false, String::new());
    while let Some(element) = reader.child()? {
        match element {
            "IsTruncated" => truncated = reader.text()?.trim() == "true",
            "Marker" => marker = reader.text()?.into_owned(),
            element => {
                let element = element.to_owned();
                read(reader, &element)?;
            }
        }
    }
    Ok(truncated.then_some(marker))
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

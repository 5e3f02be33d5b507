//! Users and groups by name, from `/etc/passwd` and `/etc/group`.

use consort_driver::DriverError;
use consort_model::Code;
use consort_shim::spec::User;

/// A user as a program sees itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) home: String,
}

/// Reads `user` or `user:group`, names or numbers, and further groups.
pub(crate) fn account(text: &str, more: &[String]) -> Result<Account, DriverError> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    find(text, more, &read("/etc/passwd"), &read("/etc/group"))
}

/// The home folder of a user id.
pub(crate) fn home_of(uid: u32) -> Option<String> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(uid))?;
    entry.get(5).map(|home| (*home).to_owned())
}

fn find(text: &str, more: &[String], passwd: &str, groups: &str) -> Result<Account, DriverError> {
    let (name, group) = text
        .split_once(':')
        .map_or((text, None), |(user, group)| (user, Some(group)));
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.len() >= 6 && (fields[0] == name || fields[2] == name));
    let known = entry
        .as_ref()
        .and_then(|fields| Some((fields[2].parse().ok()?, fields[3].parse().ok()?)));
    let number = |text: &str| text.parse::<u32>().ok();
    let (uid, own_group): (u32, u32) = known
        .or_else(|| number(name).map(|uid| (uid, uid)))
        .ok_or_else(|| missing("user", name))?;
    let gid_of = |name: &str| {
        let entry = groups
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.len() >= 3 && fields[0] == name);
        entry
            .and_then(|fields| number(fields[2]))
            .or_else(|| number(name))
            .ok_or_else(|| missing("group", name))
    };
    let gid = group.map_or(Ok(own_group), gid_of)?;
    let groups = more
        .iter()
        .map(|name| gid_of(name))
        .collect::<Result<_, _>>()?;
    Ok(Account {
        user: User { uid, gid, groups },
        home: entry.map_or_else(|| "/".to_owned(), |fields| fields[5].to_owned()),
    })
}

fn missing(what: &str, name: &str) -> DriverError {
    let message = format!("this machine has no {what} `{name}`");
    DriverError::new(Code::BLUEPRINT_INVALID, message).remedy(format!(
        "Make the {what} on this machine, or name it by its number."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www:/var/www:/bin/false\n";
    const GROUP: &str = "root:x:0:\nwww-data:x:33:\nadm:x:4:syslog\n";

    #[test]
    fn users_and_groups_are_found_by_name_and_number() {
        for (text, uid, gid, home) in [
            ("www-data", 33, 33, "/var/www"),
            ("33", 33, 33, "/var/www"),
            ("www-data:adm", 33, 4, "/var/www"),
            ("1234", 1234, 1234, "/"),
            ("1234:99", 1234, 99, "/"),
        ] {
            let found = find(text, &[], PASSWD, GROUP).unwrap();
            assert_eq!(
                (found.user.uid, found.user.gid, found.home.as_str()),
                (uid, gid, home)
            );
        }
        let more = find("root", &["adm".into()], PASSWD, GROUP).unwrap();
        assert_eq!(more.user.groups, [4]);
        assert!(find("nobody-here", &[], PASSWD, GROUP).is_err());
        assert!(find("root:nogroup", &[], PASSWD, GROUP).is_err());
    }
}

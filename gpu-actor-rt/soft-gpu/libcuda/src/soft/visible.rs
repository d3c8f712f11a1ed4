//! `CUDA_VISIBLE_DEVICES`: which devices a process sees, and in which order.

use std::fmt::Write as _;

/// The numbers of the devices that the setting names, in its order. A list ends at the first entry that names no device or
/// one that it named before, as the CUDA Programming Guide says; not set is all.
pub(crate) fn visible(setting: Option<&str>, uuids: &[[u8; 16]]) -> Vec<usize> {
    let Some(setting) = setting else { return (0..uuids.len()).collect() };
    let mut seen = Vec::new();
    for entry in setting.split(',') {
        match find(entry.trim(), uuids) {
            Some(device) if !seen.contains(&device) => seen.push(device),
            // A device that is named twice makes the whole list invalid, and no device is seen.
            Some(_) => return Vec::new(),
            None => break,
        }
    }
    seen
}

fn find(entry: &str, uuids: &[[u8; 16]]) -> Option<usize> {
    let Some(prefix) = entry.strip_prefix("GPU-") else {
        return entry.parse().ok().filter(|device| *device < uuids.len());
    };
    let mut matches = (0..uuids.len()).filter(|device| text(&uuids[*device]).starts_with(prefix));
    // A prefix must be of one device alone.
    matches.next().filter(|_| !prefix.is_empty() && matches.next().is_none())
}

/// A UUID as `nvidia-smi -L` writes it, without its `GPU-`.
fn text(uuid: &[u8; 16]) -> String {
    let mut text = String::new();
    for (i, byte) in uuid.iter().enumerate() {
        if [4, 6, 8, 10].contains(&i) {
            text.push('-');
        }
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_picked_and_ordered() {
        let uuids = [[0x11; 16], [0x22; 16], *b"\x22\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0"];
        let see = |setting| visible(setting, &uuids);
        assert_eq!(see(None), [0, 1, 2]);
        assert_eq!(see(Some("2,0")), [2, 0]);
        assert_eq!(see(Some(" 1 ")), [1]);
        assert_eq!(see(Some("0,9,1")), [0], "what comes after one that there is not is not seen");
        assert_eq!(see(Some("0,0")), [0; 0]);
        for none in ["", "-1", "NoDevFiles", "GPU-", "GPU-22", "GPU-33"] {
            assert_eq!(see(Some(none)), [0; 0], "{none}");
        }
        assert_eq!(see(Some("GPU-2223,GPU-11111111-1111-1111-1111-111111111111")), [2, 0]);
    }
}

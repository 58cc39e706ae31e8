//! Plain archives of fixtures, read without the reader that is tested.

/// Regular files of a ustar archive (POSIX.1-1988): name, then octal size at 124, type at 156, data in blocks of 512.
pub(crate) fn untar(archive: &[u8]) -> Vec<(String, &[u8])> {
    let mut files = Vec::new();
    let mut rest = archive;
    while let Some((head, body)) = rest.split_first_chunk::<512>()
        && head[0] != 0
    {
        let text =
            |range: std::ops::Range<usize>| String::from_utf8_lossy(&head[range]).trim_matches(['\0', ' ']).to_owned();
        let size = usize::from_str_radix(&text(124..136), 8).unwrap();
        if matches!(head[156], b'0' | 0) {
            files.push((text(0..100), &body[..size]));
        }
        rest = &body[size.div_ceil(512) * 512..];
    }
    files
}

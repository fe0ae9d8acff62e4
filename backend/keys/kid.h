/* SPDX-License-Identifier: MIT */
/*
 * Key ids and the allow-list.
 *
 * A key id comes out of a blob's metadata, so it is data, not an address.  It is
 * taken apart strictly, compared with the vaults and keys that the mount
 * names, and the URL that is contacted is built from the allow-list's entry.
 *
 * Source: docs/FORMATS.md, "Key ids"; docs/SECURITY.md.
 */
#ifndef BACKEND_KEYS_KID_H
#define BACKEND_KEYS_KID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { KID_NAME_MAX = 127, KID_VERSION_LEN = 32, KID_HOST_MAX = 255 };

struct kid {
	char host[KID_HOST_MAX + 1];	   /* lower case as given; upper case is refused */
	uint16_t port;			   /* 0 when not given */
	char name[KID_NAME_MAX + 1];	   /* [0-9A-Za-z-]+ */
	char version[KID_VERSION_LEN + 1]; /* 32 hexadecimal digits, or "" */
};

/*
 * "https://HOST[:PORT]/keys/NAME[/VERSION][/]": at most 512 bytes, lower-case scheme, no user info,
 * query, fragment, percent sign, backslash, control or non-ASCII character; VERSION [0-9a-f]{32},
 * empty = versionless.  -EINVAL for anything else.
 */
int kid_parse(const char *text, struct kid *out, struct err *e) MUST_CHECK;

/*
 * An entry of vault=: "https://HOST[:PORT][/]" for all keys of a vault, or a key id for one key
 * (all versions when versionless).
 */
struct vault_entry {
	struct kid kid; /* name "" = all keys */
};
int vault_entry_parse(const char *text, struct vault_entry *out, struct err *e) MUST_CHECK;

/*
 * Whether the entry covers the id: host equal to the letter, port equal (a port only when the entry
 * has it), name equal without regard to case, version.
 */
bool vault_entry_covers(const struct vault_entry *entry, const struct kid *k);

#endif

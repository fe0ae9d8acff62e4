/* SPDX-License-Identifier: MIT */
/* Attributes of a blob from headers or XML: see azattr.h. */
#include "backend/store/azattr.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/num.h"
#include "base/timetext.h"

static const struct {
	const char *element, *header;
	enum azattr_key key;
} attributes[] = {
	{ "Last-Modified", "Last-Modified", AZATTR_MTIME },
	{ "Etag", "ETag", AZATTR_ETAG },
	{ "Content-Length", NULL, AZATTR_SIZE },
	{ "Content-Type", "Content-Type", AZATTR_CONTENT_TYPE },
	{ "BlobType", "x-ms-blob-type", AZATTR_BLOB_TYPE },
	{ "AccessTier", "x-ms-access-tier", AZATTR_TIER },
	{ "ResourceType", "x-ms-resource-type", AZATTR_RESOURCE_TYPE },
	{ "CustomerProvidedKeySha256", "x-ms-encryption-key-sha256", AZATTR_CPK },
};

static const char metadata_header[] = "x-ms-meta-";

void
azattr_reset(struct azattr *a)
{
	memset(a, 0, offsetof(struct azattr, envelope));
	a->envelope[0] = '\0';
}

enum azattr_key
azattr_xml_key(const char *element)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (strcmp(element, attributes[i].element) == 0)
			return attributes[i].key;
	return AZATTR_NONE;
}

enum azattr_key
azattr_metadata_key(const char *name)
{
	if (strcasecmp(name, "encryptiondata") == 0)
		return AZATTR_ENVELOPE;
	if (strcasecmp(name, "hdi_isfolder") == 0)
		return AZATTR_FOLDER;
	if (strcasecmp(name, "azcryptbind") == 0)
		return AZATTR_BIND;
	if (strcasecmp(name, "mtime") == 0)
		return AZATTR_OWN_MTIME;
	return AZATTR_NONE;
}

static enum azattr_key
header_key(const char *name)
{
	const size_t n = sizeof(metadata_header) - 1;

	if (strncasecmp(name, metadata_header, n) == 0)
		return azattr_metadata_key(name + n);
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (attributes[i].header != NULL && strcasecmp(name, attributes[i].header) == 0)
			return attributes[i].key;
	return AZATTR_NONE;
}

bool
azattr_etag(const char *value, char out[STORE_ETAG_MAX + 1])
{
	size_t n = strlen(value);

	if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
		value++;
		n -= 2;
	}
	if (n == 0 || n > STORE_ETAG_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (value[i] <= ' ' || value[i] > '~' || value[i] == '"')
			return false;
	memcpy(out, value, n);
	out[n] = '\0';
	return true;
}

static int
month_of(const char *s)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (strncmp(s, names + 3 * i, 3) == 0)
			return i + 1;
	return 0;
}

/* Whether text has the digits and the fixed characters of a pattern, in which '0' stands for any
 * digit and '?' for anything. */
static bool
looks_like(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; pattern++, text++) {
		if (*text == '\0')
			return false;
		if (*pattern == '0' ? *text < '0' || *text > '9'
				    : *pattern != '?' && *pattern != *text)
			return false;
	}
	return *text == '\0';
}

static int
digits2(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* time: "hh:mm:ss", digits for sure.  Years outside of what nanoseconds in 64 bits can hold are no
 * dates. */
static bool
seconds_of(int year, int month, int day, const char *time, int64_t *out)
{
	const int h = digits2(time), m = digits2(time + 3), s = digits2(time + 6);

	if (year < 1700 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 31 ||
	    h > 23 || m > 59 || s > 60)
		return false;
	*out = timetext_days(year, month, day) * 86400 + h * 3600 + m * 60 + s;
	return true;
}

bool
azattr_http_date(const char *value, int64_t *out)
{
	if (!looks_like(value, "???, 00 ??? 0000 00:00:00 GMT"))
		return false;
	return seconds_of(digits2(value + 12) * 100 + digits2(value + 14), month_of(value + 8),
			  digits2(value + 5), value + 17, out);
}

bool
azattr_iso_date(const char *value, int64_t *out)
{
	if (!looks_like(value, "0000-00-00T00:00:00Z"))
		return false;
	return seconds_of(digits2(value) * 100 + digits2(value + 2), digits2(value + 5),
			  digits2(value + 8), value + 11, out);
}

static enum store_blob_type
blob_type(const char *value)
{
	if (strcasecmp(value, "PageBlob") == 0)
		return STORE_PAGE;
	if (strcasecmp(value, "AppendBlob") == 0)
		return STORE_APPEND;
	return STORE_BLOCK;
}

static bool
set_envelope(struct azattr *a, const char *value, size_t n)
{
	if (n > STORE_METADATA_MAX)
		return false;
	if (a->has_envelope)
		return true;
	memcpy(a->envelope, value, n);
	a->envelope[n] = '\0';
	a->envelope_n = n;
	a->has_envelope = true;
	return true;
}

/* Too long is there, and of no use: enough of it is kept to show that. */
static void
set_bind(struct azattr *a, const char *value, size_t n)
{
	if (a->has_bind)
		return;
	a->has_bind = true;
	a->bind_n = n < sizeof(a->bind) ? n : sizeof(a->bind);
	memcpy(a->bind, value, a->bind_n);
}

static void
set_mtime(struct azattr *a, const char *value)
{
	int64_t s;

	if (azattr_http_date(value, &s))
		a->entry.mtime_ns = s * NS_PER_S;
}

bool
azattr_set(struct azattr *a, enum azattr_key key, const char *value, size_t n)
{
	switch (key) {
	case AZATTR_ETAG:
		return azattr_etag(value, a->etag);
	case AZATTR_SIZE:
		a->has_size = u64_parse(value, n, &a->entry.size) && a->entry.size <= INT64_MAX;
		return a->has_size;
	case AZATTR_MTIME:
		set_mtime(a, value);
		return true;
	case AZATTR_CONTENT_TYPE:
		(void)snprintf(a->content_type, sizeof(a->content_type), "%s", value);
		return true;
	case AZATTR_BLOB_TYPE:
		a->entry.type = blob_type(value);
		return true;
	case AZATTR_TIER:
		a->entry.archived = strcasecmp(value, "Archive") == 0;
		return true;
	case AZATTR_RESOURCE_TYPE:
		a->entry.folder = strcasecmp(value, "directory") == 0;
		return true;
	case AZATTR_CPK:
		a->entry.metadata_hidden = true;
		return true;
	case AZATTR_ENVELOPE:
		return set_envelope(a, value, n);
	case AZATTR_FOLDER:
		a->folder_marker = strcasecmp(value, "true") == 0;
		return true;
	case AZATTR_BIND:
		set_bind(a, value, n);
		return true;
	case AZATTR_OWN_MTIME:
		a->has_own_mtime |= timetext_parse(value, &a->own_mtime_ns);
		return true;
	case AZATTR_NONE:
		break;
	}
	return true;
}

bool
azattr_finish(struct azattr *a, struct span name)
{
	if (a->etag[0] == '\0' || !a->has_size)
		return false;
	a->entry.kind = STORE_OBJECT;
	a->entry.name = name;
	a->entry.etag = a->etag;
	a->entry.content_type = a->content_type;
	if (a->folder_marker && a->entry.size == 0)
		a->entry.folder = true;
	if (a->has_envelope)
		a->entry.envelope = span_of(a->envelope, a->envelope_n);
	if (a->has_bind)
		a->entry.bind = span_of(a->bind, a->bind_n);
	if (a->has_own_mtime)
		a->entry.mtime_ns = a->own_mtime_ns;
	return true;
}

static int
take_header(void *arg, const char *name, const char *value)
{
	struct azattr *a = arg;

	return azattr_set(a, header_key(name), value, strlen(value)) ? 0 : 1;
}

int
azattr_from_headers(struct azattr *a, const struct http_response *r, struct span name,
		    uint64_t size, struct err *e)
{
	azattr_reset(a);
	a->has_size = size <= INT64_MAX;
	a->entry.size = size;
	if (http_header_each(r, take_header, a) == 0 && azattr_finish(a, name))
		return 0;
	(void)err_set(e, EIO, "the answer's headers do not describe a blob");
	return err_mark(e, "net.protocol", NULL);
}

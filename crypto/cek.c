/* SPDX-License-Identifier: MIT */
/* The content key and the prefix it is wrapped with: see cek.h. */
#include "crypto/cek.h"

#include <errno.h>

#include <openssl/crypto.h>

#include "crypto/mac.h"

enum { PREFIX_LEN = 8 };

/* What stands before the key; NULL for V1, which has nothing there. */
static const char *
prefix_of(enum protocol p)
{
	static const char v2_0[PREFIX_LEN] = "2.0", v2_1[PREFIX_LEN] = "2.1";

	switch (p) {
	case PROTOCOL_V2_0:
		return v2_0;
	case PROTOCOL_V2_1:
		return v2_1;
	case PROTOCOL_V1:
		break;
	}
	return NULL;
}

void
cek_wipe(struct cek *c)
{
	OPENSSL_cleanse(c, sizeof(*c));
}

int
cek_from_unwrapped(enum protocol p, struct span unwrapped, struct cek *out, struct err *e)
{
	const char *prefix = prefix_of(p);
	const size_t skip = prefix == NULL ? 0 : PREFIX_LEN;

	if (unwrapped.n != skip + CEK_LEN ||
	    (prefix != NULL && !mac_equal(unwrapped.p, prefix, PREFIX_LEN))) {
		(void)err_set(e, EBADMSG, "the unwrapped key is not one of protocol %s",
			      protocol_name(p));
		return err_mark(e, "integrity.cek", NULL);
	}
	memcpy(out->k, unwrapped.p + skip, CEK_LEN);
	return 0;
}

void
cek_to_unwrapped(enum protocol p, const struct cek *c, uint8_t out[static CEK_UNWRAPPED_MAX],
		 size_t *out_n)
{
	const char *prefix = prefix_of(p);
	const size_t skip = prefix == NULL ? 0 : PREFIX_LEN;

	if (prefix != NULL)
		memcpy(out, prefix, PREFIX_LEN);
	memcpy(out + skip, c->k, CEK_LEN);
	*out_n = skip + CEK_LEN;
}

/* SPDX-License-Identifier: MIT */
/* OpenSSL's own failures: see ossl.h. */
#include "crypto/ossl.h"

#include <errno.h>

#include <openssl/err.h>

int
ossl_failed(struct err *e, const char *what)
{
	/* What the queue says may tell a wrong padding from a wrong key: it is dropped unread. */
	ERR_clear_error();
	return err_set(e, EIO, "%s failed", what);
}

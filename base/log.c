/* SPDX-License-Identifier: MIT */
/* The log: see log.h. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mutex.h"

#include "base/printable.h"

enum { LINE_MAX_BYTES = 1500 };

static atomic_int fd = STDERR_FILENO;
static atomic_bool to_syslog;
static atomic_int threshold = LOG_LEVEL_INFO;

static const struct {
	const char *name;
	char letter;
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 'E', LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning", 'W', LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", 'I', LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", 'D', LOG_DEBUG },
};

int
log_level_parse(const char *name, enum log_level *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(name, levels[i].name) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	return err_set(e, EINVAL, "log level \"%s\" is none of error, warning, info, debug", name);
}

void
log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

bool
log_wants(enum log_level level)
{
	return (int)level <= atomic_load(&threshold);
}

int
log_open(const char *target, enum log_level level, struct err *e)
{
	int new_fd = STDERR_FILENO;

	if (strcmp(target, "syslog") == 0) {
		openlog("azcryptfs", LOG_PID, LOG_DAEMON);
	} else if (strcmp(target, "stderr") != 0) {
		new_fd = open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (new_fd < 0)
			return err_set(e, errno, "log file %s: %s", target, strerror(errno));
	}
	atomic_store(&fd, new_fd);
	atomic_store(&to_syslog, strcmp(target, "syslog") == 0);
	log_set_level(level);
	return 0;
}

/* One write for one line, so that lines of several threads do not mix. */
static void
put_line(enum log_level level, const char *event, const char *text)
{
	char line[LINE_MAX_BYTES + 2];
	int n = 0;

	while (*text != '\0' && n < LINE_MAX_BYTES - 4) {
		const size_t len = printable_len(text);

		if (len > 0)
			memcpy(line + n, text, len);
		else
			(void)snprintf(line + n, 5, "\\x%02x", (unsigned char)*text);
		n += len > 0 ? (int)len : 4;
		text += len > 0 ? len : 1;
	}
	line[n] = '\0';
	if (atomic_load(&to_syslog)) {
		syslog(levels[level].priority, "%s %s", event, line);
	} else {
		char out[LINE_MAX_BYTES + 128], when[32];
		struct timespec now;
		struct tm tm;

		(void)clock_gettime(CLOCK_REALTIME, &now);
		(void)gmtime_r(&now.tv_sec, &tm);
		(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
		n = snprintf(out, sizeof(out), "%s.%03ldZ %c %s %s\n", when, now.tv_nsec / 1000000,
			     levels[level].letter, event, line);
		if (write(atomic_load(&fd), out, (size_t)n) < 0)
			return; /* nowhere left to complain */
	}
}

void
log_event(enum log_level level, const char *event, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	int saved = errno;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_line(level, event, text);
	errno = saved;
}

/* Events for failures that nobody has named. */
static const char *
default_event(int no)
{
	switch (no) {
	case EBADMSG:
		return "integrity.data";
	case EACCES:
		return "auth.denied";
	case ENOKEY:
		return "key.missing";
	case ESTALE:
		return "remote.changed";
	case ENOENT:
		return "remote.gone";
	case ETIMEDOUT:
		return "net.deadline";
	case ENOMEM:
		return "local.memory";
	default:
		return "io.failed";
	}
}

/*
 * What to do about failures whose finder did not say: most are of sealed data, found where
 * nothing is known of users.
 */
static const char *
default_advice(const char *event)
{
	static const struct {
		const char *event, *advice;
	} table[] = {
		{ "integrity.region",
		  "the blob was changed or damaged after it was sealed: restore a copy you trust" },
		{ "integrity.order", "regions were moved: restore a copy you trust, or salvage "
				     "with region_order=recover" },
		{ "integrity.size", "the blob was cut or damaged: restore a copy you trust" },
		{ "integrity.metadata",
		  "the encryptiondata of the blob is damaged: restore its metadata or the blob" },
		{ "integrity.cek", "the blob's metadata and its key do not belong together: "
				   "restore a copy you trust" },
		{ "integrity.v1", "protocol 1.0 cannot tell damage from a wrong key: restore a "
				  "copy, seal it with 2.0" },
		{ "remote.changed", "open the file again to read the new version" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(event, table[i].event) == 0)
			return table[i].advice;
	return NULL;
}

/*
 * Whether the same line was written within the last second: a program that meets
 * an error asks again at once, and so does the kernel.
 */
static bool
just_said(const char *event, const char *text)
{
	static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
	static struct {
		uint64_t hash;
		int64_t at_ns;
	} recent[16];
	const int64_t now = clock_now_ns();
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	bool said;

	for (const char *p = event; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	for (const char *p = text; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
	mutex_lock(&mu);
	said = recent[h % ARRAY_LEN(recent)].hash == h &&
	       now - recent[h % ARRAY_LEN(recent)].at_ns < NS_PER_S;
	recent[h % ARRAY_LEN(recent)].hash = h;
	recent[h % ARRAY_LEN(recent)].at_ns = now;
	mutex_unlock(&mu);
	return said;
}

void
log_err(enum log_level level, const struct err *e, const char *fmt, ...)
{
	const char *event = e->event != NULL ? e->event : default_event(e->no);
	const char *advice = e->advice != NULL ? e->advice : default_advice(event);
	char text[LINE_MAX_BYTES];
	int saved = errno, n;
	va_list ap;

	if (e->no == 0 || !log_wants(level))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 700, fmt, ap);
	va_end(ap);
	if (n < 0 || n > (int)sizeof(text) - 701)
		n = (int)strlen(text);
	(void)snprintf(text + n, sizeof(text) - (size_t)n, ": %s [%s%s%s%s%s]%s%s", e->text,
		       err_name(e->no), e->key[0] != '\0' ? " key=" : "", e->key,
		       e->request_id[0] != '\0' ? " request=" : "", e->request_id,
		       advice != NULL ? "; " : "", advice != NULL ? advice : "");
	if (!just_said(event, text))
		put_line(level, event, text);
	errno = saved;
}

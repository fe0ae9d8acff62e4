/* SPDX-License-Identifier: MIT */
import com.azure.storage.blob.models.BlobRange;
import com.azure.storage.blob.models.DownloadRetryOptions;
import com.azure.storage.blob.specialized.cryptography.EncryptedBlobClient;
import com.azure.storage.blob.specialized.cryptography.EncryptedBlobClientBuilder;
import com.azure.storage.blob.specialized.cryptography.EncryptionVersion;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Reads blobs through the client that decrypts, and tells length and SHA-256 of what came. */
final class BlobReader {
	/** Nothing here fails for a moment only. */
	private static final DownloadRetryOptions ONCE = new DownloadRetryOptions().setMaxRetryRequests(0);
	private final Keys keys;

	BlobReader(Keys keys) {
		this.keys = keys;
	}

	/** {connection, container, name, ranges: [[offset, length]...]} */
	ObjectNode read(JsonNode told) throws IOException {
		EncryptedBlobClient blob = new EncryptedBlobClientBuilder(EncryptionVersion.V2)
				.connectionString(told.get("connection").asText())
				.containerName(told.get("container").asText())
				.blobName(told.get("name").asText())
				.requiresEncryption(true).keyResolver(keys).buildEncryptedBlobClient();
		ObjectNode answer = JsonNodeFactory.instance.objectNode();
		answer.set("whole", digest(blob, null));
		var ranges = answer.putArray("ranges");
		for (JsonNode range : told.path("ranges"))
			ranges.add(digest(blob,
					new BlobRange(range.get(0).asLong(), range.get(1).asLong())));
		return answer;
	}

	private static ObjectNode digest(EncryptedBlobClient blob, BlobRange range) throws IOException {
		try (Digest digest = new Digest()) {
			blob.downloadStreamWithResponse(digest, range, ONCE, null, false, null, null);
			return digest.answer();
		}
	}

	/** Hashes and counts what is written to it. */
	private static final class Digest extends OutputStream {
		private final MessageDigest hash;
		private long length;

		Digest() {
			try {
				hash = MessageDigest.getInstance("SHA-256");
			} catch (NoSuchAlgorithmException e) {
				throw new IllegalStateException(e);
			}
		}

		@Override
		public void write(int b) {
			hash.update((byte) b);
			length++;
		}

		@Override
		public void write(byte[] bytes, int offset, int count) {
			hash.update(bytes, offset, count);
			length += count;
		}

		ObjectNode answer() {
			return JsonNodeFactory.instance.objectNode().put("length", length)
					.put("sha256", HexFormat.of().formatHex(hash.digest()));
		}
	}
}

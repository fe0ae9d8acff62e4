/* SPDX-License-Identifier: MIT */
import com.azure.core.cryptography.AsyncKeyEncryptionKey;
import com.azure.core.cryptography.AsyncKeyEncryptionKeyResolver;
import com.azure.core.cryptography.KeyEncryptionKey;
import com.azure.core.cryptography.KeyEncryptionKeyResolver;
import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyFactory;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.RSAPrivateCrtKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import javax.crypto.spec.SecretKeySpec;
import reactor.core.publisher.Mono;

/** Key-encryption keys of a JWK Set, found by their key id, for both clients. They unwrap only. */
final class Keys implements AsyncKeyEncryptionKeyResolver, KeyEncryptionKeyResolver {
	private static final OAEPParameterSpec SHA1 = new OAEPParameterSpec("SHA-1", "MGF1",
			MGF1ParameterSpec.SHA1, PSource.PSpecified.DEFAULT);
	private static final OAEPParameterSpec SHA256 = new OAEPParameterSpec("SHA-256", "MGF1",
			MGF1ParameterSpec.SHA256, PSource.PSpecified.DEFAULT);
	private final Map<String, Key> keys = new HashMap<>();

	Keys(JsonNode set) throws GeneralSecurityException {
		for (JsonNode jwk : set)
			keys.put(jwk.get("kid").asText(), key(jwk));
	}

	private static Key key(JsonNode jwk) throws GeneralSecurityException {
		if (jwk.get("kty").asText().equals("oct"))
			return new SecretKeySpec(bytes(jwk, "k"), "AES");
		return KeyFactory.getInstance("RSA").generatePrivate(new RSAPrivateCrtKeySpec(
				number(jwk, "n"), number(jwk, "e"), number(jwk, "d"), number(jwk, "p"),
				number(jwk, "q"), number(jwk, "dp"), number(jwk, "dq"), number(jwk, "qi")));
	}

	private static byte[] bytes(JsonNode jwk, String member) {
		return Base64.getUrlDecoder().decode(jwk.get(member).asText());
	}

	private static BigInteger number(JsonNode jwk, String member) {
		return new BigInteger(1, bytes(jwk, member));
	}

	private Key find(String kid) {
		Key found = keys.get(kid);
		if (found == null)
			throw new IllegalArgumentException("no key " + kid);
		return found;
	}

	private static byte[] unwrap(Key key, String algorithm, byte[] wrapped) {
		try {
			switch (algorithm) {
			case "RSA-OAEP":
				return oaep(key, SHA1, wrapped);
			case "RSA-OAEP-256":
				return oaep(key, SHA256, wrapped);
			case "A128KW":
			case "A192KW":
			case "A256KW":
				return keyWrap(key, algorithm, wrapped);
			default:
				throw new IllegalArgumentException("unwrap by " + algorithm);
			}
		} catch (GeneralSecurityException e) {
			throw new IllegalStateException(e);
		}
	}

	private static byte[] oaep(Key key, OAEPParameterSpec spec, byte[] wrapped)
			throws GeneralSecurityException {
		Cipher cipher = Cipher.getInstance("RSA/ECB/OAEPPadding");
		cipher.init(Cipher.DECRYPT_MODE, key, spec);
		return cipher.doFinal(wrapped);
	}

	private static byte[] keyWrap(Key key, String algorithm, byte[] wrapped)
			throws GeneralSecurityException {
		if (key.getEncoded().length * 8 != Integer.parseInt(algorithm.substring(1, 4)))
			throw new IllegalArgumentException("the key is not one of " + algorithm);
		Cipher cipher = Cipher.getInstance("AES/KW/NoPadding");
		cipher.init(Cipher.UNWRAP_MODE, key);
		return cipher.unwrap(wrapped, "AES", Cipher.SECRET_KEY).getEncoded();
	}

	@Override
	public Mono<? extends AsyncKeyEncryptionKey> buildAsyncKeyEncryptionKey(String kid) {
		return Mono.fromCallable(() -> new Async(kid, find(kid)));
	}

	@Override
	public KeyEncryptionKey buildKeyEncryptionKey(String kid) {
		return new Sync(kid, find(kid));
	}

	private record Async(String kid, Key key) implements AsyncKeyEncryptionKey {
		@Override
		public Mono<String> getKeyId() {
			return Mono.just(kid);
		}

		@Override
		public Mono<byte[]> wrapKey(String algorithm, byte[] plain) {
			return Mono.error(new UnsupportedOperationException("wrapKey"));
		}

		@Override
		public Mono<byte[]> unwrapKey(String algorithm, byte[] wrapped) {
			return Mono.fromCallable(() -> unwrap(key, algorithm, wrapped));
		}
	}

	private record Sync(String kid, Key key) implements KeyEncryptionKey {
		@Override
		public String getKeyId() {
			return kid;
		}

		@Override
		public byte[] wrapKey(String algorithm, byte[] plain) {
			throw new UnsupportedOperationException("wrapKey");
		}

		@Override
		public byte[] unwrapKey(String algorithm, byte[] wrapped) {
			return unwrap(key, algorithm, wrapped);
		}
	}
}

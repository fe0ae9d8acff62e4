/* SPDX-License-Identifier: MIT */
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;

/**
 * The official Java clients as readers, one process for hundreds of reads: each line of standard input is a
 * request in JSON, each line of standard output its answer, {value} or {error}.  class Oracle of
 * tests/support/java.py asks it.
 */
final class Oracle {
	private static final ObjectMapper JSON = new ObjectMapper();
	private Keys keys;
	private CosmosReader cosmos;

	private JsonNode answer(JsonNode told) throws IOException, GeneralSecurityException {
		switch (told.get("do").asText()) {
		case "keys":
			keys = new Keys(told.get("keys"));
			return JsonNodeFactory.instance.nullNode();
		case "blob":
			return new BlobReader(keys).read(told);
		case "account":
			close();
			cosmos = new CosmosReader(told, keys);
			return JsonNodeFactory.instance.nullNode();
		case "read":
			return cosmos.read(told);
		case "query":
			return cosmos.query(told);
		default:
			throw new IllegalArgumentException("do: " + told.get("do"));
		}
	}

	private void close() {
		if (cosmos != null)
			cosmos.close();
	}

	private ObjectNode outcome(String line) {
		ObjectNode outcome = JSON.createObjectNode();
		try {
			outcome.set("value", answer(JSON.readTree(line)));
		} catch (IOException | GeneralSecurityException | RuntimeException e) {
			outcome.put("error", describe(e));
		}
		return outcome;
	}

	/** Every cause's class and message: the clients wrap what went wrong. */
	private static String describe(Throwable thrown) {
		StringBuilder text = new StringBuilder();
		for (Throwable t = thrown; t != null; t = t.getCause())
			text.append(text.isEmpty() ? "" : " <- ").append(t.getClass().getSimpleName())
					.append(": ").append(t.getMessage());
		return text.toString();
	}

	public static void main(String[] arguments) throws IOException {
		// What a library prints must not be taken for an answer.
		PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
		System.setOut(System.err);
		BufferedReader in = new BufferedReader(
				new InputStreamReader(System.in, StandardCharsets.UTF_8));
		Oracle oracle = new Oracle();
		for (String line = in.readLine(); line != null; line = in.readLine())
			out.println(JSON.writeValueAsString(oracle.outcome(line)));
		oracle.close();
		System.exit(0);
	}
}

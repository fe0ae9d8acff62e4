/* SPDX-License-Identifier: MIT */
import com.azure.cosmos.CosmosAsyncClient;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.encryption.CosmosEncryptionAsyncClient;
import com.azure.cosmos.encryption.CosmosEncryptionAsyncContainer;
import com.azure.cosmos.encryption.CosmosEncryptionClientBuilder;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.PartitionKey;
import com.azure.cosmos.models.PartitionKeyBuilder;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;

/** Reads documents through the client that decrypts. */
final class CosmosReader implements AutoCloseable {
	private static final Duration PATIENCE = Duration.ofSeconds(60);
	private final CosmosAsyncClient plain;
	private final CosmosEncryptionAsyncClient client;

	/** {endpoint, key}; who signed the account's certificate: -Djavax.net.ssl.trustStore. */
	CosmosReader(JsonNode told, Keys keys) {
		plain = new CosmosClientBuilder().endpoint(told.get("endpoint").asText())
				.key(told.get("key").asText()).gatewayMode().endpointDiscoveryEnabled(false)
				.buildAsyncClient();
		client = new CosmosEncryptionClientBuilder().cosmosAsyncClient(plain)
				.keyEncryptionKeyResolver(keys)
				.keyEncryptionKeyResolverName(
						CosmosEncryptionClientBuilder.KEY_RESOLVER_NAME_AZURE_KEY_VAULT)
				.buildAsyncClient();
	}

	private CosmosEncryptionAsyncContainer container(JsonNode told) {
		return client.getCosmosEncryptionAsyncDatabase(told.get("database").asText())
				.getCosmosEncryptionAsyncContainer(told.get("container").asText());
	}

	/** One document by its plain id and partition key: {database, container, id, key: [value...]}. */
	JsonNode read(JsonNode told) {
		return container(told).readItem(told.get("id").asText(), key(told.get("key")), ObjectNode.class)
				.block(PATIENCE).getItem();
	}

	/** Every document that a query finds, its text in clear: {database, container, text?}. */
	ArrayNode query(JsonNode told) {
		String text = told.path("text").asText("SELECT * FROM c");
		ArrayNode rows = JsonNodeFactory.instance.arrayNode();
		container(told).queryItems(text, new CosmosQueryRequestOptions(), ObjectNode.class)
				.byPage().doOnNext(page -> page.getResults().forEach(rows::add))
				.blockLast(PATIENCE);
		return rows;
	}

	private static PartitionKey key(JsonNode values) {
		if (values.size() == 1)
			return one(values.get(0));
		PartitionKeyBuilder builder = new PartitionKeyBuilder();
		for (JsonNode value : values) {
			if (value.isNumber())
				builder.add(value.asDouble());
			else if (value.isBoolean())
				builder.add(value.asBoolean());
			else
				builder.add(value.asText());
		}
		return builder.build();
	}

	private static PartitionKey one(JsonNode value) {
		if (value.isNull())
			return new PartitionKey(null);
		if (value.isBoolean())
			return new PartitionKey(value.asBoolean());
		return new PartitionKey(value.isNumber() ? (Object) value.asDouble() : value.asText());
	}

	@Override
	public void close() {
		plain.close();
	}
}

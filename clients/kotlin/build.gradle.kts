plugins {
    kotlin("jvm") version "2.1.21"
    id("com.apollographql.apollo") version "4.3.3"
}

dependencies {
    implementation("com.apollographql.apollo:apollo-runtime:4.3.3")
}

apollo {
    service("techmart") {
        packageName.set("com.techmart.graph")
        schemaFiles.from("../../graph/schema.graphql")
        srcDir("src/main/graphql")
        // What `techmart documents publish` takes: build/generated/manifest/apollo/techmart/persistedQueryManifest.json
        operationManifestFormat.set("persistedQueryManifest")
        generateOptionalOperationVariables.set(false)
        mapScalarToKotlinString("DateTime")
        mapScalarToKotlinString("Decimal")
        mapScalarToKotlinString("URL")
        mapScalarToKotlinString("EmailAddress")
        mapScalarToKotlinString("CurrencyCode")
        mapScalarToKotlinString("CountryCode")
        mapScalar("JSON", "kotlin.Any", "com.apollographql.apollo.api.AnyAdapter")
    }
}

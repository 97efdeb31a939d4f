// The shop under test, as the Go test describes it.
export const shop = JSON.parse(process.env.SHOP);

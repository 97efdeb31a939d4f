// The domains of the reference, in the order in which a reader meets them: the SDL file, its title, and what it is about.
export const domains = [
  ['common', 'Basics', 'What all of the graph shares: the roots, `Node`, pages, money, times, and what a mutation can refuse.'],
  ['users', 'Accounts', 'Sign-up, sessions, the second factor, profiles, address books and roles.'],
  ['products', 'Catalogue and stock', 'Products, variants, categories, search, reviews and inventory.'],
  ['carts', 'Carts', 'What a visitor or a customer is about to buy: lines, discounts, shipping and totals.'],
  ['promotions', 'Promotions', 'Discounts: what they give, to whom, and how often.'],
  ['orders', 'Orders', 'Placing, following, cancelling and sending orders.'],
  ['returns', 'Returns', 'What comes back, and what is paid back for it.'],
  ['payments', 'Payments', 'Authorizing, capturing, voiding and refunding; the ledger and the comparison with the provider.'],
  ['notifications', 'Notifications', 'The inbox, and what was sent by e-mail.'],
  ['webhooks', 'Webhooks', 'Events that the shop sends to the systems of others.'],
];

/** SDL files that say nothing to the clients of the graph. */
export const internal = ['federation', 'gqlgen'];

/** The guides for each kind of reader, as names of files in docs/. Others are listed under "More". */
export const guides = [
  ['Start here', ['for-frontend', 'for-mobile', 'for-integrators']],
  ['Using the graph', ['authentication', 'protocol', 'subscriptions', 'errors', 'idempotency', 'documents', 'cost', 'limits', 'webhooks', 'contract', 'federation']],
  ['The shop', ['pricing', 'stock', 'payments', 'returns']],
  ['Operating it', ['configuration', 'backup', 'faults', 'chaos', 'performance']],
];

// A whole Bluesky network on loopback: a server for accounts, the AppView that reads it, and a directory of names.
// Prints its addresses as one line of JSON; then answers each line on stdin with a line on stdout, until stdin ends.
import { createInterface } from 'node:readline'
import { TestNetwork } from '@atproto/dev-env'

const quiet = process.emitWarning
process.emitWarning = (warning, ...rest) => (String(warning).includes('client.query()') ? undefined : quiet(warning, ...rest))

const network = await TestNetwork.create({ dbPostgresSchema: 'escucha' })
const agent = network.pds.getAgent()

const verbs = {
  async account({ handle, password }) {
    const made = await agent.com.atproto.server.createAccount({
      handle: `${handle}.test`,
      email: `${handle}@example.com`,
      password,
    })
    return made.data
  },
  // What was written is read by the AppView a little later; this waits for it.
  async settle() {
    await network.pds.processAll()
    await network.bsky.sub.processAll()
    await network.processFullSubscription()
    return {}
  },
  // A label as a moderation service sets it, on an account (its DID) or a post (its address).
  async label({ subject, cid, value }) {
    const row = { src: network.ozone.ctx.cfg.service.did, uri: subject, cid: cid ?? '', val: value, neg: false, exp: null, cts: new Date().toISOString() }
    await network.bsky.db.db.insertInto('label').values(row).execute()
    return {}
  },
  async takedown({ did }) {
    await network.pds.ctx.accountManager.takedownAccount(did, { applied: true, ref: 'test' })
    return {}
  },
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`)
say({ pds: network.pds.url, appview: network.bsky.url })
for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...given } = JSON.parse(line)
  try {
    say(await verbs[verb](given))
  } catch (error) {
    say({ error: String(error?.message ?? error) })
  }
}
process.exit(0)

// A registry on this machine that has the packages of this one, and sends everybody who asks for another
// to the registry that npm is set to.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'

/**
 * @param {String} folder Where the archives are that it has
 * @return {Promise<Object>} `url`, and `close()`
 */
export async function startRegistry(folder) {
  const elsewhere = spawnSync('npm', ['config', 'get', 'registry'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  }).stdout.trim()
  const archives = new Map(
    readdirSync(folder)
      .filter((name) => name.endsWith('.tgz'))
      .map((name) => [name, readFileSync(join(folder, name))]),
  )
  const packages = new Map(
    Array.from(archives, ([file, bytes]) => {
      const { stdout } = spawnSync('tar', ['-xzOf', join(folder, file), 'package/package.json'])
      const manifest = JSON.parse(stdout)
      return [manifest.name, { bytes, file, manifest }]
    }),
  )

  const server = createServer((req, res) => {
    const name = decodeURIComponent(req.url.slice(1))
    if (packages.has(name)) return json(res, packument(packages.get(name), url()))
    const archive = archives.get(basename(name))
    if (archive) return res.end(archive)
    res.writeHead(302, { Location: new URL(req.url.slice(1), elsewhere) }).end()
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = () => `http://127.0.0.1:${server.address().port}/`
  return {
    url: url(),
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** What a registry says of a package. */
function packument({ bytes, file, manifest }, url) {
  const { name, version } = manifest
  const dist = {
    tarball: `${url}${name}/-/${file}`,
    shasum: createHash('sha1').update(bytes).digest('hex'),
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
  }
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}

function json(res, value) {
  res.setHeader('Content-Type', 'application/json')
  res.end(JSON.stringify(value))
}

// The README as npm shows it. npm resolves links that are relative to the repository, but not all images,
// and never those in SVG; an unpacked package has no docs/. So the package gets it with whole addresses.

/**
 * @param {String} text README.md
 * @param {String} repository The address of the repository, as package.json has it
 * @param {String} version
 * @return {String} The same with absolute links and images, those of the release
 */
export function readmeForNpm(text, repository, version) {
  const home = repository.replace(/^git\+|\.git$/g, '')
  const raw = home.replace('//github.com/', '//raw.githubusercontent.com/')
  return text.replace(/(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)/g, (_, image, words, target) =>
    image
      ? `![${words}](${raw}/v${version}/${target})`
      : `[${words}](${home}/blob/v${version}/${target})`,
  )
}

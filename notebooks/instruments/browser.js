// tslab compiles import() to require(), which cannot load a module of the scripts: this file is left as it is.
exports.findBrowser = async () => (await import('../../scripts/shared/browser.mjs')).findBrowser();

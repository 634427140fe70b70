// Expo's config plugin. In app.json: { "plugins": [["@nexus-store/react-native", { "id": "com.example.field" }]] }
// It writes Info.plist only: on Android nothing is needed, and no permission or service type is added.
import { createRequire } from 'node:module';
import { checkedOptions, withSync } from './plugin/options.js';

const require = createRequire(import.meta.url);
const { version } = require('./package.json');

function configPlugins() {
  try {
    return require('expo/config-plugins');
  } catch {
    return require('@expo/config-plugins');
  }
}

const { createRunOncePlugin, withInfoPlist } = configPlugins();

/** @type {(config: any, options: any) => any} */
const withNexusStore = (config, given) => {
  const options = checkedOptions(given);
  return withInfoPlist(config, (/** @type {any} */ one) => {
    one.modResults = withSync(one.modResults, options);
    return one;
  });
};

export default createRunOncePlugin(withNexusStore, '@nexus-store/react-native', version);

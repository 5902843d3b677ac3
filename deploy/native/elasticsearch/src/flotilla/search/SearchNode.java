package flotilla.search;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.index.mapper.MapperExtrasPlugin;
import org.elasticsearch.reindex.ReindexPlugin;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.script.mustache.MustachePlugin;
import org.elasticsearch.transport.Netty4Plugin;

/**
 * A single Elasticsearch node on loopback, for development and tests where no container can run.
 *
 * <p>Arguments: the HTTP port, the transport port, the folder that holds its data.
 */
public final class SearchNode {
  private static final List<Class<? extends Plugin>> PLUGINS =
      List.of(
          Netty4Plugin.class,
          ReindexPlugin.class,
          MapperExtrasPlugin.class,
          MustachePlugin.class,
          AnalysisFilters.class);

  private SearchNode() {}

  /** The constructor that takes plugin classes from the class path is protected in {@link Node}. */
  private static final class EmbeddedNode extends Node {
    EmbeddedNode(Environment environment, Collection<Class<? extends Plugin>> plugins) {
      super(environment, plugins, false);
    }
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 3) {
      System.err.println("usage: SearchNode <http port> <transport port> <folder>");
      System.exit(2);
    }
    Path home = Path.of(arguments[2]).toAbsolutePath();
    Path configuration = Files.createDirectories(home.resolve("config"));
    Environment environment =
        InternalSettingsPreparer.prepareEnvironment(
            settings(arguments[0], arguments[1], home), Map.of(), configuration, () -> "search");
    Node node = new EmbeddedNode(environment, PLUGINS).start();
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node, stopped), "close"));
    stopped.await();
  }

  private static Settings settings(String port, String transportPort, Path home) {
    return Settings.builder()
        .put("cluster.name", "flotilla")
        .put("node.name", "search")
        .put("path.home", home.toString())
        .put("network.host", "127.0.0.1")
        .put("http.port", port)
        .put("transport.port", transportPort)
        .put("http.type", "netty4")
        .put("transport.type", "netty4")
        .put("discovery.type", "single-node")
        // A developer's disk is often nearly full; the node would turn its indices read-only.
        .put("cluster.routing.allocation.disk.threshold_enabled", false)
        .build();
  }

  private static void close(Node node, CountDownLatch stopped) {
    try {
      node.close();
    } catch (java.io.IOException failure) {
      System.err.println("the node did not close cleanly: " + failure);
    } finally {
      stopped.countDown();
    }
  }
}

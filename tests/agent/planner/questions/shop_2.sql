-- Second set over the demo shop, written before it was first run; today is 2026-06-30.

-- count: how many orders do we have
select count(*) from orders;

-- count: number of active customers
select count(*) from customers where is_active = 1;

-- count: How many delivered orders were there in 2024?
select count(*) from orders where status = 'delivered' and order_date like '2024%';

-- count: count of payments by paypal
select count(*) from payments where method = 'paypal';

-- count: how many products cost more than 100
select count(*) from products where unit_price > 100;

-- count: how many customers are in the small business segment?
select count(*) from customers where segment = 'small business';

-- count: How many high priority tickets came in during the last 30 days?
select count(*) from support_tickets where priority = 'high' and opened_at >= '2026-05-31';

-- count: number of discontinued products by category
select category, count(*) from products where discontinued = 1 group by 1;

-- metric: revenue
select sum(total_amount) from orders where status <> 'cancelled';

-- metric: total sales in March 2026
select sum(total_amount) from orders where status <> 'cancelled' and order_date like '2026-03%';

-- metric: revenue from enterprise customers
select sum(o.total_amount) from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' and c.segment = 'enterprise';

-- metric: what is the average order value by channel?
select channel, avg(total_amount) from orders where status <> 'cancelled' group by 1;

-- metric: average product price
select avg(unit_price) from products;

-- metric: total units sold in 2025
select sum(i.quantity) from order_items i join orders o on o.id = i.order_id where o.order_date like '2025%';

-- metric: average satisfaction
select avg(satisfaction) from support_tickets;

-- metric: how much did customer 42 spend in total?
select sum(total_amount) from orders where status <> 'cancelled' and customer_id = 42;

-- metric: sum of payment amounts by method
select method, sum(amount) from payments group by 1;

-- metric: total captured payments amount in 2025
select sum(amount) from payments where status = 'captured' and paid_at like '2025%';

-- group: revenue by product category
select p.category, sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1;

-- group: revenue by brand in 2025
select p.brand, sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and o.order_date like '2025%' group by 1;

-- group: number of customers per city
select city, count(*) from customers group by 1;

-- group: average unit price by brand
select brand, avg(unit_price) from products group by 1;

-- group: tickets by status
select status, count(*) from support_tickets group by 1;

-- group: orders by customer segment and channel
select c.segment, o.channel, count(*) from orders o join customers c on c.id = o.customer_id group by 1, 2;

-- group: payment amount by status
select status, sum(amount) from payments group by 1;

-- group: total stock by category
select category, sum(stock_quantity) from products group by 1;

-- group: what is the average satisfaction for each priority?
select priority, avg(satisfaction) from support_tickets group by 1;

-- group: Break down revenue by segment and year
select c.segment, strftime('%Y', o.order_date), sum(o.total_amount) from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by 1, 2;

-- group: number of tickets per product category
select p.category, count(distinct t.id) from support_tickets t join orders o on o.id = t.order_id join order_items i on i.order_id = o.id join products p on p.id = i.product_id group by 1;

-- topn: top 5 products by revenue
select p.name, sum(i.line_total) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by p.id order by s desc limit 5;

-- topn: top 5 customers by number of orders
select c.id, count(*) n from orders o join customers c on c.id = o.customer_id group by c.id order by n desc, c.id limit 5;

-- topn: which 3 cities have the most customers?
select city, count(*) n from customers group by 1 order by n desc limit 3;

-- topn: 10 cheapest products
select name from products order by unit_price, id limit 10;

-- topn: top 5 customers in Germany by revenue this year
select c.id, sum(o.total_amount) s from orders o join customers c on c.id = o.customer_id where c.country = 'Germany' and o.status <> 'cancelled' and o.order_date >= '2026-01-01' group by c.id order by s desc limit 5;

-- topn: the 3 brands with the highest profit
select p.brand, sum(i.line_total - i.quantity * p.unit_cost) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1 order by s desc limit 3;

-- topn: latest 5 tickets
select id from support_tickets order by opened_at desc limit 5;

-- topn: 5 products with the lowest stock
select name from products order by stock_quantity, id limit 5;

-- topn: worst 3 products by revenue
select p.name, sum(i.line_total) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by p.id order by s limit 3;

-- topn-per-group: top 3 products per category by units sold
select category, name from (select p.category, p.name, row_number() over (partition by p.category order by sum(i.quantity) desc, p.id) rn from order_items i join products p on p.id = i.product_id group by p.id) where rn <= 3;

-- topn-per-group: best customer in each country by revenue
select country, id from (select c.country, c.id, row_number() over (partition by c.country order by sum(o.total_amount) desc) rn from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by c.id) where rn = 1;

-- superlative: most expensive product
select name from products order by unit_price desc limit 1;

-- superlative: cheapest Electronics product
select name from products where category = 'Electronics' order by unit_price limit 1;

-- superlative: which category sold the most units in 2025?
select p.category, sum(i.quantity) s from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.order_date like '2025%' group by 1 order by s desc limit 1;

-- superlative: which month had the most orders?
select strftime('%Y-%m', order_date), count(*) n from orders group by 1 order by n desc limit 1;

-- superlative: which channel brings in the most revenue
select channel, sum(total_amount) s from orders where status <> 'cancelled' group by 1 order by s desc limit 1;

-- superlative: what is the most common ticket category?
select category, count(*) n from support_tickets group by 1 order by n desc limit 1;

-- superlative: who is our best customer?
select customer_id, sum(total_amount) s from orders where status <> 'cancelled' group by 1 order by s desc limit 1;

-- superlative: which product has the most stock?
select name from products order by stock_quantity desc limit 1;

-- superlative: which country has the highest average order value?
select shipping_country, avg(total_amount) s from orders where status <> 'cancelled' group by 1 order by s desc limit 1;

-- superlative: customer with the most support tickets
select customer_id, count(*) n from support_tickets group by 1 order by n desc, 1 limit 1;

-- trend: orders per month in 2025
select strftime('%Y-%m', order_date), count(*) from orders where order_date like '2025%' group by 1;

-- trend: revenue by year
select strftime('%Y', order_date), sum(total_amount) from orders where status <> 'cancelled' group by 1;

-- trend: weekly revenue in 2026
select date(order_date, 'weekday 0', '-6 days'), sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-01-01' group by 1;

-- trend: quarterly orders in 2025 by channel
select strftime('%Y', order_date) || '-Q' || ((cast(strftime('%m', order_date) as integer) + 2) / 3), channel, count(*) from orders where order_date like '2025%' group by 1, 2;

-- trend: signups per quarter
select strftime('%Y', signup_date) || '-Q' || ((cast(strftime('%m', signup_date) as integer) + 2) / 3), count(*) from customers group by 1;

-- trend: tickets opened per month in 2025
select strftime('%Y-%m', opened_at), count(*) from support_tickets where opened_at like '2025%' group by 1;

-- trend: daily revenue in the last 7 days
select date(order_date), sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-06-23' group by 1;

-- trend: how many customers signed up each year?
select strftime('%Y', signup_date), count(*) from customers group by 1;

-- period: orders today
select id from orders where date(order_date) = '2026-06-30';

-- period: revenue last quarter
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-01-01' and order_date < '2026-04-01';

-- period: revenue this month
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2026-06-01' and order_date < '2026-07-01';

-- period: number of payments last year
select count(*) from payments where paid_at like '2025%';

-- period: tickets opened after 2026-06-15
select id from support_tickets where opened_at >= '2026-06-16';

-- period: revenue from January to June 2024
select sum(total_amount) from orders where status <> 'cancelled' and order_date >= '2024-01-01' and order_date < '2024-07-01';

-- period: products launched before 2020
select name from products where launched_on < '2020-01-01';

-- period: orders in Q2 2025 from Italy
select id from orders where order_date >= '2025-04-01' and order_date < '2025-07-01' and shipping_country = 'Italy';

-- anti: customers who never placed an order
select id from customers c where not exists (select 1 from orders o where o.customer_id = c.id);

-- anti: products not sold in 2026
select name from products p where not exists (select 1 from order_items i join orders o on o.id = i.order_id where i.product_id = p.id and o.order_date >= '2026-01-01');

-- anti: how many customers have no orders?
select count(*) from customers c where not exists (select 1 from orders o where o.customer_id = c.id);

-- anti: customers who haven't bought anything this year
select id from customers c where not exists (select 1 from orders o where o.customer_id = c.id and o.order_date >= '2026-01-01');

-- anti: active customers without orders in 2025
select id from customers c where is_active = 1 and not exists (select 1 from orders o where o.customer_id = c.id and o.order_date like '2025%');

-- anti: Electronics products that were never ordered
select name from products p where category = 'Electronics' and not exists (select 1 from order_items i where i.product_id = p.id);

-- having: products ordered more than 100 times
select p.id from products p join order_items i on i.product_id = p.id group by p.id having count(*) > 100;

-- having: customers with at least 2 tickets
select customer_id from support_tickets group by 1 having count(*) >= 2;

-- having: countries with more than 1000 orders
select shipping_country, count(*) from orders group by 1 having count(*) > 1000;

-- having: brands with more than 15 products
select brand from products group by 1 having count(*) > 15;

-- having: orders with more than 3 items
select order_id from order_items group by 1 having sum(quantity) > 3;

-- having: customers with total spend over 10000
select customer_id from orders where status <> 'cancelled' group by 1 having sum(total_amount) > 10000;

-- having: how many customers ordered at least twice in 2026?
select count(*) from (select customer_id from orders where order_date >= '2026-01-01' group by 1 having count(*) >= 2);

-- having: categories with an average price above 100
select category from products group by 1 having avg(unit_price) > 100;

-- distinct: how many distinct customers ordered in 2025?
select count(distinct customer_id) from orders where order_date like '2025%';

-- distinct: what ticket categories are there?
select distinct category from support_tickets;

-- distinct: list all order statuses
select distinct status from orders;

-- distinct: number of distinct brands
select count(distinct brand) from products;

-- distinct: which countries do we ship to?
select distinct shipping_country from orders;

-- share: share of orders by channel
select channel, 100.0 * count(*) / (select count(*) from orders) from orders group by 1;

-- share: percentage of revenue by category
select p.category, 100.0 * sum(i.line_total) / (select sum(i.line_total) from order_items i join orders o on o.id = i.order_id where o.status <> 'cancelled') from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1;

-- share: what percentage of orders were returned in 2025?
select 100.0 * sum(status = 'returned') / count(*) from orders where order_date like '2025%';

-- share: percentage of customers who opted in to marketing
select 100.0 * sum(marketing_opt_in) / count(*) from customers;

-- share: share of tickets that are urgent by category
select category, 100.0 * sum(priority = 'urgent') / count(*) from support_tickets group by 1;

-- share: what fraction of customers have never ordered?
select 100.0 * sum(not exists (select 1 from orders o where o.customer_id = c.id)) / count(*) from customers c;

-- ratio: ratio of failed payments to captured payments in 2025
select 1.0 * sum(status = 'failed') / sum(status = 'captured') from payments where paid_at like '2025%';

-- ratio: return rate by channel
select channel, 100.0 * sum(status = 'returned') / count(*) from orders group by 1;

-- running: cumulative orders by month in 2025
select m, sum(n) over (order by m) from (select strftime('%Y-%m', order_date) m, count(*) n from orders where order_date like '2025%' group by 1);

-- running: cumulative number of customers by year
select y, sum(n) over (order by y) from (select strftime('%Y', signup_date) y, count(*) n from customers group by 1);

-- growth: quarter over quarter revenue growth
with q as (select strftime('%Y', order_date) || '-Q' || ((cast(strftime('%m', order_date) as integer) + 2) / 3) q, sum(total_amount) s from orders where status <> 'cancelled' group by 1), n as (select q, s, lag(s) over (order by q) p from q) select q, s, 100.0 * (s - p) / p from n where p is not null;

-- growth: monthly order growth in 2025
with m as (select strftime('%Y-%m', order_date) ym, count(*) s from orders group by 1) select a.ym, a.s, 100.0 * (a.s - b.s) / b.s from m a join m b on b.ym = strftime('%Y-%m', date(a.ym || '-01', '-1 month')) where a.ym like '2025%';

-- nested: average number of tickets per customer
select avg(n) from (select customer_id, count(*) n from support_tickets group by 1);

-- nested: average number of products per category
select avg(n) from (select category, count(*) n from products group by 1);

-- nested: average monthly revenue in 2025
select avg(s) from (select strftime('%Y-%m', order_date), sum(total_amount) s from orders where status <> 'cancelled' and order_date like '2025%' group by 1);

-- nested: average orders per day in May 2026
select avg(n) from (select date(order_date), count(*) n from orders where order_date >= '2026-05-01' and order_date < '2026-06-01' group by 1);

-- nested: average revenue per customer by segment
select segment, avg(s) from (select c.segment, c.id, sum(o.total_amount) s from orders o join customers c on c.id = o.customer_id where o.status <> 'cancelled' group by 1, 2) group by 1;

-- list: enterprise customers in France
select id from customers where segment = 'enterprise' and country = 'France';

-- list: urgent tickets that are not closed
select id from support_tickets where priority = 'urgent' and status <> 'closed';

-- list: show all Kasa products in Electronics
select name from products where brand = 'Kasa' and category = 'Electronics';

-- list: shipped orders over 1000
select id from orders where status = 'shipped' and total_amount > 1000;

-- list: products that cost less than 10
select name from products where unit_price < 10;

-- list: orders containing Orbit Webcam
select distinct order_id from order_items i join products p on p.id = i.product_id where p.name = 'Orbit Webcam';

-- list: customers in Berlin or Munich
select id from customers where city in ('Berlin', 'Munich');

-- list: failed payments this month
select id from payments where status = 'failed' and paid_at >= '2026-06-01';

-- list: customers who signed up in June 2026
select id from customers where signup_date >= '2026-06-01' and signup_date < '2026-07-01';

-- list: tickets from customers in Japan
select t.id from support_tickets t join customers c on c.id = t.customer_id where c.country = 'Japan';

-- list: customers who bought Books in 2025
select distinct o.customer_id from orders o join order_items i on i.order_id = o.id join products p on p.id = i.product_id where p.category = 'Books' and o.order_date like '2025%';

-- list: name and stock of all discontinued products
select name, stock_quantity from products where discontinued = 1;

-- lookup: total amount of order 250
select total_amount from orders where id = 250;

-- lookup: segment of customer 15
select segment from customers where id = 15;

-- lookup: when did customer 8 sign up?
select signup_date from customers where id = 8;

-- lookup: payments for order 300
select id from payments where order_id = 300;

-- lookup: customer 3
select id, city from customers where id = 3;

-- lookup: what is the stock of Kasa Headphones?
select stock_quantity from products where name = 'Kasa Headphones';

-- lookup: how many items are in order 77?
select sum(quantity) from order_items where order_id = 77;

-- minmax: maximum shipping cost
select max(shipping_cost) from orders;

-- minmax: earliest signup date
select min(signup_date) from customers;

-- minmax: when was the last payment made?
select max(paid_at) from payments;

-- minmax: highest order amount by country
select shipping_country, max(total_amount) from orders group by 1;

-- minmax: minimum and maximum product price
select min(unit_price), max(unit_price) from products;

-- bool: customers who are not active
select id from customers where is_active = 0;

-- bool: customers not opted in to marketing
select id from customers where marketing_opt_in = 0;

-- bool: how many active customers did not opt in to marketing?
select count(*) from customers where is_active = 1 and marketing_opt_in = 0;

-- negated: revenue excluding Germany
select sum(total_amount) from orders where status <> 'cancelled' and shipping_country <> 'Germany';

-- negated: orders not from the web channel in June 2026
select id from orders where channel <> 'web' and order_date >= '2026-06-01' and order_date < '2026-07-01';

-- null: tickets with a satisfaction rating
select id from support_tickets where satisfaction is not null;

-- null: how many tickets are without an order?
select count(*) from support_tickets where order_id is null;

-- null: open tickets without satisfaction
select id from support_tickets where status = 'open' and satisfaction is null;

-- like: products with 'Desk' in the name
select name from products where name like '%Desk%';

-- like: how many products contain 'Set' in their name?
select count(*) from products where name like '%Set%';

-- compare: number of orders in 2024 vs 2025
select strftime('%Y', order_date), count(*) from orders where order_date >= '2024-01-01' and order_date < '2026-01-01' group by 1;

-- compare: compare average order value of web and store
select channel, avg(total_amount) from orders where status <> 'cancelled' and channel in ('web', 'store') group by 1;

-- compare: which has more products, Acme or Lumen?
select brand, count(*) n from products where brand in ('Acme', 'Lumen') group by 1 order by n desc limit 1;

-- compare: Germany or France, which has higher revenue?
select shipping_country, sum(total_amount) n from orders where status <> 'cancelled' and shipping_country in ('Germany', 'France') group by 1 order by n desc limit 1;

-- duration: average resolution time by category
select category, avg(julianday(closed_at) - julianday(opened_at)) from support_tickets group by 1;

-- duration: how long does it take to close a billing ticket on average?
select avg(julianday(closed_at) - julianday(opened_at)) from support_tickets where category = 'billing';

-- verb: customers who paid by gift card
select distinct o.customer_id from orders o join payments p on p.order_id = o.id where p.method = 'gift card';

-- verb: how many customers ordered from the phone channel in 2026?
select count(distinct customer_id) from orders where channel = 'phone' and order_date >= '2026-01-01';

-- verb-date: orders shipped in May 2026
select id from orders where status = 'shipped' and order_date >= '2026-05-01' and order_date < '2026-06-01';

-- verb-date: average satisfaction of tickets closed in 2025
select avg(satisfaction) from support_tickets where closed_at like '2025%';

-- partial: revenue from headphones
select sum(i.line_total) from order_items i join products p on p.id = i.product_id join orders o on o.id = i.order_id where o.status <> 'cancelled' and p.name like '%Headphones%';

-- selfjoin: employees with their manager
select e.id, m.id from employees e left join employees m on m.id = e.manager_id;

-- refuse: what caused the increase in returns?
null;

-- refuse: how many visitors did we have yesterday?
null;

-- refuse: which product will sell best next year?
null;

-- refuse: recommend a product for customer 5
null;

-- refuse: customer lifetime value by segment
null;

-- refuse: who is the ceo?
null;

-- refuse: change all prices by 10 percent
null;

-- refuse: tickets by sentiment
null;

-- refuse: revenue per square meter
null;

-- refuse: what is the capital of France?
null;

-- refuse: average delivery days
null;

-- refuse: customers in Europe
null;
